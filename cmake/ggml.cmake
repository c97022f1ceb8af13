# ggml comes from the system where that is new enough, else from a sysroot of unpacked packages
# (tools/bootstrap). Targets:
#   virtgpu_ggml          headers and libraries, for code that calls ggml
#   virtgpu_ggml_program  in addition, for executables: start with the sysroot's own loader, because
#                         its ggml needs a newer libc than the machine may have
add_library(virtgpu_ggml INTERFACE)
add_library(virtgpu_ggml_program INTERFACE)

if(VIRTGPU_SYSROOT)
    set(sysroot_lib ${VIRTGPU_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE})
    # Only ggml's headers: the sysroot's libc headers do not fit this machine's compiler.
    set(ggml_include ${CMAKE_BINARY_DIR}/ggml-headers)
    file(GLOB ggml_headers ${VIRTGPU_SYSROOT}/usr/include/ggml*.h ${VIRTGPU_SYSROOT}/usr/include/gguf.h)
    if(NOT ggml_headers)
        message(FATAL_ERROR "No ggml headers in ${VIRTGPU_SYSROOT}; run `make setup`")
    endif()
    file(COPY ${ggml_headers} DESTINATION ${ggml_include})
    target_include_directories(virtgpu_ggml SYSTEM INTERFACE ${ggml_include})
    target_link_libraries(virtgpu_ggml INTERFACE ${sysroot_lib}/libggml.so ${sysroot_lib}/libggml-base.so)
    target_link_options(virtgpu_ggml INTERFACE -Wl,--allow-shlib-undefined)
    # DT_RPATH, not DT_RUNPATH: libggml-base's own libm must come from the sysroot as well.
    target_link_options(virtgpu_ggml_program INTERFACE
        -Wl,--dynamic-linker=${sysroot_lib}/ld-linux-x86-64.so.2
        -Wl,--disable-new-dtags -Wl,-rpath,${sysroot_lib})
    set(GGML_BACKEND_DIR ${sysroot_lib}/ggml/backends0)
else()
    find_package(ggml REQUIRED)
    target_link_libraries(virtgpu_ggml INTERFACE ggml::ggml ggml::ggml-base)
endif()
target_link_libraries(virtgpu_ggml_program INTERFACE virtgpu_ggml)
