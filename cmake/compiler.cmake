set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
include(GNUInstallDirs)

# What every target of ours is compiled with; third-party headers are SYSTEM and exempt.
add_library(virtgpu_compile INTERFACE)
target_include_directories(virtgpu_compile INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(virtgpu_compile INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
    -Woverloaded-virtual -Wold-style-cast -Wcast-align -Werror)

# Everything that the fuzz targets link, so that coverage guides them.
set(VIRTGPU_FUZZ_SANITIZERS address,undefined CACHE STRING "What finds faults in the fuzz targets")
if(VIRTGPU_FUZZING)
    add_compile_options(-fsanitize=fuzzer-no-link -fno-omit-frame-pointer -O1 -gline-tables-only)
    if(VIRTGPU_FUZZ_SANITIZERS)
        add_compile_options(-fsanitize=${VIRTGPU_FUZZ_SANITIZERS} -fno-sanitize-recover=all)
        add_link_options(-fsanitize=${VIRTGPU_FUZZ_SANITIZERS})
    endif()
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
