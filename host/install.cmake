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
install(FILES containers.toml machines.toml
        DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/ggml-virtgpu COMPONENT host)

# The services see no homes (ProtectHome=), so neither they nor what the worker is linked to can be there.
get_filename_component(real_sysroot "${VIRTGPU_SYSROOT}" REALPATH)
set(unit_folder ${VIRTGPU_UNIT_DIR})
if(NOT IS_ABSOLUTE ${unit_folder})
    set(unit_folder "\${CMAKE_INSTALL_PREFIX}/${unit_folder}")
endif()
install(CODE "
    set(in_a_home)
    foreach(folder IN ITEMS \"\${CMAKE_INSTALL_PREFIX}\" \"${real_sysroot}\")
        if(folder MATCHES \"^/(home|root|run/user)/\")
            set(in_a_home \"\${folder}\")
        endif()
    endforeach()
    if(in_a_home)
        message(\"The services are not installed: systemd would not let them see \${in_a_home}, which they need. \"
                \"Install to another prefix, from a checkout that is in no home; or use the Debian packages.\")
    else()
        file(INSTALL \"${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-containers.service\"
                     \"${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-machines.service\"
                     \"${CMAKE_CURRENT_SOURCE_DIR}/systemd/ggml-virtgpu-containers.socket\"
                     \"${CMAKE_CURRENT_SOURCE_DIR}/systemd/ggml-virtgpu-machines.socket\"
             DESTINATION \"${unit_folder}\" TYPE FILE)
    endif()"
    COMPONENT host)
