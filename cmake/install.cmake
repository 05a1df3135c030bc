# cmake --install build --prefix DIR: the programs, and what a processor of another project is built with – static libraries, headers with the paths that the
# tree uses ("common/...", "processors/shared/...", "schemas/..."), the schema compiler, the case driver, and the CMake package `kontor` (kontorProcessor.cmake).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(KONTOR_INCLUDES ${CMAKE_INSTALL_INCLUDEDIR}/kontor)
set(KONTOR_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/kontor)
set(KONTOR_SHARE ${CMAKE_INSTALL_DATADIR}/kontor)

target_include_directories(kontor_common INTERFACE $<INSTALL_INTERFACE:${KONTOR_INCLUDES}>)
if(KONTOR_SANITIZE)
  target_link_options(kontor_common INTERFACE $<INSTALL_INTERFACE:-fsanitize=${KONTOR_SANITIZE}>)
endif()
foreach(target common shared processors cases)
  set_target_properties(kontor_${target} PROPERTIES EXPORT_NAME ${target})
endforeach()
set_target_properties(kontor-schemac PROPERTIES EXPORT_NAME schemac)
install(TARGETS kontor_common kontor_shared kontor_processors kontor_cases kontor-schemac EXPORT kontorTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT kontorTargets NAMESPACE kontor:: DESTINATION ${KONTOR_PACKAGE})

set(programs kontor kontor-cases)
foreach(processor ${PROCESSORS})
  list(APPEND programs kontor-${processor})
endforeach()
install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY common DESTINATION ${KONTOR_INCLUDES} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY processors/shared DESTINATION ${KONTOR_INCLUDES}/processors FILES_MATCHING PATTERN "*.h")
install(FILES tests/driver/cases.h DESTINATION ${KONTOR_INCLUDES}/tests/driver)
install(DIRECTORY ${CMAKE_BINARY_DIR}/generated/schemas DESTINATION ${KONTOR_INCLUDES} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY schemas DESTINATION ${KONTOR_SHARE} FILES_MATCHING PATTERN "*.avsc" PATTERN "*.tsv")
install(FILES deploy/topics.tsv DESTINATION ${KONTOR_SHARE})
file(GLOB KONTOR_CASE_WORLDS CONFIGURE_DEPENDS tests/cases/*.include)
install(FILES ${KONTOR_CASE_WORLDS} tests/cases/world.case tests/cases/README.md DESTINATION ${KONTOR_SHARE}/cases)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/kontorConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/kontorConfig.cmake INSTALL_DESTINATION ${KONTOR_PACKAGE} PATH_VARS KONTOR_INCLUDES KONTOR_SHARE)
# What is below 1.0 promises nothing to what was built with another minor version.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/kontorConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/kontorConfig.cmake ${CMAKE_BINARY_DIR}/generated/kontorConfigVersion.cmake cmake/kontorProcessor.cmake DESTINATION ${KONTOR_PACKAGE})
