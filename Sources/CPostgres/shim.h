#include <libpq-fe.h>

// The field codes are character constants in libpq's headers, which Swift does not import as integers.
static const int SluiceDiagnosticSeverity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int SluiceDiagnosticSQLState = PG_DIAG_SQLSTATE;
static const int SluiceDiagnosticMessage = PG_DIAG_MESSAGE_PRIMARY;
static const int SluiceDiagnosticConstraint = PG_DIAG_CONSTRAINT_NAME;
static const int SluiceDiagnosticRoutine = PG_DIAG_SOURCE_FUNCTION;
