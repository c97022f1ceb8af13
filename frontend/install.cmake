# Into ggml's own backend folder where it has told us one: there every ggml program finds the plug-in.
include(CMakePackageConfigHelpers)
set(default_plugin_folder ${CMAKE_INSTALL_LIBDIR}/ggml/backends0)
if(GGML_BACKEND_DIR AND NOT VIRTGPU_SYSROOT)
    set(default_plugin_folder ${GGML_BACKEND_DIR})
endif()
set(GGML_VIRTGPU_PLUGIN_DIR ${default_plugin_folder} CACHE PATH
    "Where libggml-virtgpu.so is installed: the folder from which ggml loads its backends")
if(IS_ABSOLUTE ${GGML_VIRTGPU_PLUGIN_DIR})
    set(plugin_folder ${GGML_VIRTGPU_PLUGIN_DIR})
else()
    set(plugin_folder ${CMAKE_INSTALL_PREFIX}/${GGML_VIRTGPU_PLUGIN_DIR})
endif()

install(TARGETS ggml-virtgpu LIBRARY DESTINATION ${GGML_VIRTGPU_PLUGIN_DIR})

configure_file(ggml-virtgpu.pc.in ggml-virtgpu.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ggml-virtgpu)
configure_file(ggml-virtgpu-config.cmake.in ggml-virtgpu-config.cmake @ONLY)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config-version.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config-version.cmake
    DESTINATION ${package_folder})
