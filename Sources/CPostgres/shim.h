#include <libpq-fe.h>
#include <spawn.h>

// Of glibc 2.34; its header shows it only to programs that define _GNU_SOURCE, which Swift's importer does not.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

// The field codes are character constants in libpq's headers, which Swift does not import as integers.
static const int SluiceDiagnosticSeverity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int SluiceDiagnosticSQLState = PG_DIAG_SQLSTATE;
static const int SluiceDiagnosticMessage = PG_DIAG_MESSAGE_PRIMARY;
static const int SluiceDiagnosticConstraint = PG_DIAG_CONSTRAINT_NAME;
static const int SluiceDiagnosticRoutine = PG_DIAG_SOURCE_FUNCTION;
