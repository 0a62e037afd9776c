/* The two words of the log's configuration, for environment and file alike. */
#ifndef CONFIG_LOG_H
#define CONFIG_LOG_H

#include <stdbool.h>

#include "report/report.h"
#include "text/str.h"

#define LOG_FILE_DEFAULT "/var/log/model-download.log"

/* DEBUG, INFO, WARN, WARNING, ERROR, any case; false: something else. */
bool log_level_parse(enum report_level *out, struct str text);

/* text or json, any case; false: something else. */
bool log_format_parse(bool *ret_json, struct str text);

#endif
