# Every library the project uses, all Debian 12 packages. app/packages.txt lists the package names.

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(Threads REQUIRED)
find_package(CAF 0.17.6 EXACT REQUIRED)          # libcaf-dev; FindCAF.cmake beside this file
find_package(spdlog REQUIRED)                    # libspdlog-dev
find_package(simdjson REQUIRED)                  # libsimdjson-dev
find_package(tomlplusplus REQUIRED)              # libtomlplusplus-dev
find_package(OpenSSL REQUIRED)                   # libssl-dev
find_package(Boost 1.74 REQUIRED COMPONENTS unit_test_framework) # libboost-dev, libboost-test-dev
find_package(PkgConfig REQUIRED)                 # pkg-config
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis) # libhiredis-dev
pkg_check_modules(lmdb REQUIRED IMPORTED_TARGET lmdb)       # liblmdb-dev
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core) # prometheus-cpp-dev
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd) # libsystemd-dev
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)           # libcli11-dev
find_path(VALIJSON_INCLUDE_DIR valijson/validator.hpp REQUIRED) # libvalijson-dev
find_path(NLOHMANN_INCLUDE_DIR nlohmann/json.hpp REQUIRED)  # nlohmann-json3-dev
