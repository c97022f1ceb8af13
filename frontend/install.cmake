# Into ggml's own backend folder where it has told us one: there every ggml program finds the plug-in.
include(CMakePackageConfigHelpers)
set(default_plugin_folder ${CMAKE_INSTALL_LIBDIR}/ggml/backends0)
if(GGML_BACKEND_DIR AND NOT VIRTGPU_SYSROOT)
    set(default_plugin_folder ${GGML_BACKEND_DIR})
endif()
set(GGML_VIRTGPU_PLUGIN_DIR ${default_plugin_folder} CACHE PATH
    "Where libggml-virtgpu.so is installed: the folder from which ggml loads its backends")

# The package files find everything from where they lie: `cmake --install --prefix` may put them anywhere.
if(IS_ABSOLUTE ${GGML_VIRTGPU_PLUGIN_DIR})
    set(plugin_folder ${GGML_VIRTGPU_PLUGIN_DIR})
else()
    set(plugin_folder "\${prefix}/${GGML_VIRTGPU_PLUGIN_DIR}")
endif()
file(RELATIVE_PATH to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})

install(TARGETS ggml-virtgpu LIBRARY DESTINATION ${GGML_VIRTGPU_PLUGIN_DIR})

configure_file(ggml-virtgpu.pc.in ggml-virtgpu.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ggml-virtgpu)
configure_package_config_file(ggml-virtgpu-config.cmake.in ggml-virtgpu-config.cmake
    INSTALL_DESTINATION ${package_folder}
    PATH_VARS GGML_VIRTGPU_PLUGIN_DIR
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config-version.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/ggml-virtgpu-config-version.cmake
    DESTINATION ${package_folder})
