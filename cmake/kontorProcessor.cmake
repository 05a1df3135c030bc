# kontor_add_processor(NAME SOURCES FILE... [SCHEMAS FILE.avsc...] [CASES FILE|FOLDER...] [LIBRARIES TARGET...])
#
#   kontor-NAME        the processor: `const struct processor NAME_processor` of the sources (- is _ in C), with the main that all processors have
#   kontor-NAME-cases  the driver that runs case files on it, and on kontor's own processors where a case has events of theirs
#   tests              with CASES: NAME-plain and, of the same cases, NAME-packed, -restart, -twice, -truncate and -allocation (kontor-NAME-cases says what they do)
#
# From schemas/payroll-event.avsc comes "schemas/payroll_event.h": struct payroll_event, payroll_event_type. The names of files, records and enums must not be
# those of kontor's own schemas.
set(KONTOR_CASE_MODES plain packed restart twice truncate allocation)

function(_kontor_generate name schemas generated sources)
  set(files)
  file(MAKE_DIRECTORY ${generated}/schemas)
  foreach(schema ${schemas})
    get_filename_component(schema ${schema} ABSOLUTE)
    if(NOT EXISTS ${schema})
      message(FATAL_ERROR "kontor_add_processor(${name}): there is no schema ${schema}")
    endif()
    get_filename_component(stem ${schema} NAME_WE)
    string(REPLACE "-" "_" stem ${stem})
    if(EXISTS ${kontor_INCLUDES}/schemas/${stem}.h)
      message(FATAL_ERROR "kontor_add_processor(${name}): kontor has a schema of the name ${stem} itself; give the file another, for example ${name}-event.avsc")
    endif()
    set(out ${generated}/schemas/${stem})
    add_custom_command(OUTPUT ${out}.h ${out}.c COMMAND kontor::schemac ${schema} ${out}.h ${out}.c DEPENDS kontor::schemac ${schema} VERBATIM)
    list(APPEND files ${out}.h ${out}.c)
  endforeach()
  set(${sources} ${files} PARENT_SCOPE)
endfunction()

function(_kontor_program target main body)
  file(CONFIGURE OUTPUT ${main} CONTENT "${body}")
  add_executable(${target} ${main})
endfunction()

function(kontor_add_processor name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SOURCES;SCHEMAS;CASES;LIBRARIES")
  if(given_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "kontor_add_processor(${name}): ${given_UNPARSED_ARGUMENTS}? It takes SOURCES, SCHEMAS, CASES and LIBRARIES")
  endif()
  if(NOT name MATCHES "^[a-z][a-z0-9-]*$")
    message(FATAL_ERROR "kontor_add_processor(${name}): a name has lower case letters, digits and hyphens, and begins with a letter")
  endif()
  if(NOT given_SOURCES)
    message(FATAL_ERROR "kontor_add_processor(${name}): SOURCES are missing: the file that defines ${name}_processor")
  endif()
  string(REPLACE "-" "_" symbol ${name})
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/kontor-${name}-generated)
  _kontor_generate(${name} "${given_SCHEMAS}" ${generated} schema_sources)

  set(library kontor-${name}-library)
  add_library(${library} STATIC ${given_SOURCES} ${schema_sources})
  target_include_directories(${library} PUBLIC ${generated} ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_features(${library} PUBLIC c_std_17)
  target_compile_definitions(${library} PRIVATE _GNU_SOURCE)
  target_compile_options(${library} PRIVATE -Wno-format-zero-length)   # report(): "" where the reason says it all
  target_link_libraries(${library} PUBLIC ${given_LIBRARIES} kontor::shared)
  set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON)

  set(declared "extern const struct processor ${symbol}_processor;\nint main(int argc, char **argv)")
  _kontor_program(kontor-${name} ${generated}/main.c
    "#include \"common/runtime/main.h\"\n${declared} { return processor_main(argc, argv, &${symbol}_processor); }\n")
  target_link_libraries(kontor-${name} PRIVATE ${library})
  _kontor_program(kontor-${name}-cases ${generated}/cases.c
    "#include \"tests/driver/cases.h\"\n${declared} { return cases_main(argc, argv, &${symbol}_processor); }\n")
  target_link_libraries(kontor-${name}-cases PRIVATE ${library} kontor::cases)

  set(cases)
  foreach(case ${given_CASES})
    get_filename_component(case ${case} ABSOLUTE)
    list(APPEND cases ${case})
  endforeach()
  if(cases)
    foreach(mode ${KONTOR_CASE_MODES})
      add_test(NAME ${name}-${mode} COMMAND kontor-${name}-cases --mode ${mode} ${cases})
    endforeach()
  endif()
endfunction()
