# The program, what tells QEMU's managers about it, and systemd's units. Written when they are installed, because
# `cmake --install --prefix` may change where the program is.
set(VIRTGPU_UNIT_DIR lib/systemd/system CACHE PATH "Where systemd's units are installed")
set(configuration_folder ${CMAKE_INSTALL_SYSCONFDIR}/ggml-virtgpu)
if(NOT IS_ABSOLUTE ${configuration_folder})
    set(configuration_folder "\${CMAKE_INSTALL_PREFIX}/${configuration_folder}")
endif()
install(CODE "
    set(bin_folder \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    set(configuration_folder \"${configuration_folder}\")
    configure_file(\"${CMAKE_CURRENT_SOURCE_DIR}/90-ggml-virtgpu.json.in\"
                   \"${CMAKE_CURRENT_BINARY_DIR}/90-ggml-virtgpu.json\" @ONLY)
    foreach(purpose IN ITEMS containers machines)
        configure_file(\"${CMAKE_CURRENT_SOURCE_DIR}/systemd/ggml-virtgpu.service.in\"
                       \"${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-\${purpose}.service\" @ONLY)
    endforeach()"
    COMPONENT host)
install(TARGETS ggml-virtgpu-host RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT host)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/90-ggml-virtgpu.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/qemu/vhost-user COMPONENT host)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-containers.service
        ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-machines.service
        systemd/ggml-virtgpu-containers.socket systemd/ggml-virtgpu-machines.socket
        DESTINATION ${VIRTGPU_UNIT_DIR} COMPONENT host)
install(FILES containers.toml machines.toml
        DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/ggml-virtgpu COMPONENT host)
