#include <sys/types.h>
#include <stdbool.h>
#include <opendkim/dkim.h>
