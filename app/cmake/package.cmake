# The Debian package: cpack --config build/release/CPackConfig.cmake makes build/release/breakwater_<version>_<architecture>.deb.
# It takes the packages of tests/packages.txt: CPack asks dpkg-shlibdeps which libraries the binary needs.

set(packaging ${PROJECT_SOURCE_DIR}/app/packaging)
set(doc /usr/share/doc/breakwater)

install(TARGETS breakwater RUNTIME DESTINATION /usr/bin)
# Bound at the start and then read-only, so that no bug can point a library call elsewhere.
target_link_options(breakwater PRIVATE -Wl,-z,relro,-z,now)
install(FILES ${packaging}/breakwater.service DESTINATION /lib/systemd/system)
install(DIRECTORY DESTINATION /etc/breakwater DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
install(DIRECTORY DESTINATION /etc/breakwater/contracts
        DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
install(FILES ${packaging}/breakwater.toml DESTINATION /etc/breakwater PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES ${packaging}/breakwater.bash-completion
        DESTINATION /usr/share/bash-completion/completions RENAME breakwater)
install(FILES ${packaging}/lintian-overrides DESTINATION /usr/share/lintian/overrides RENAME breakwater)
install(FILES ${packaging}/copyright DESTINATION ${doc})
# Built-in contracts to begin one's own with; alert rules and a dashboard of the metrics.
foreach(folder contracts prometheus grafana)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/config/${folder} DESTINATION ${doc})
endforeach()

# Debian wants these compressed, and without a time in them.
configure_file(${packaging}/breakwater.1 breakwater.1 @ONLY)
foreach(pair
    "${CMAKE_CURRENT_BINARY_DIR}/breakwater.1 /usr/share/man/man1/breakwater.1.gz"
    "${packaging}/changelog ${doc}/changelog.gz"
    "${PROJECT_SOURCE_DIR}/README.md ${doc}/README.md.gz"
    "${PROJECT_SOURCE_DIR}/config/reference.md ${doc}/reference.md.gz"
    "${PROJECT_SOURCE_DIR}/config/breakwater.toml ${doc}/breakwater.toml.gz")
  separate_arguments(pair UNIX_COMMAND ${pair})
  list(GET pair 0 from)
  list(GET pair 1 to)
  get_filename_component(folder ${to} DIRECTORY)
  install(CODE "
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}${folder}\")
    execute_process(COMMAND gzip -9n -c \"${from}\" OUTPUT_FILE \"\$ENV{DESTDIR}${to}\" COMMAND_ERROR_IS_FATAL ANY)
    file(CHMOD \"\$ENV{DESTDIR}${to}\" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)")
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME breakwater)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "breakwater maintainers <maintainers@breakwater.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "market data and trade intents onto a Redis event bus")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Reads live one-minute candles of several crypto exchanges, merges them across
exchanges and publishes the merged records to a Redis stream; carries trade
intents on to their consumers, and holds them back when trading must stop.
.
Redis may stop, restart, forget or come back older than it was: a spool on disk
and exact resume see to it that no accepted record is lost or doubled.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "redis-server")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-tools, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${packaging}/postinst ${packaging}/prerm ${packaging}/postrm ${packaging}/conffiles)
set(CPACK_SET_DESTDIR ON) # the paths above are those of the system
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
