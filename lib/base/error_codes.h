/* The table of error codes: why an operation failed.
 *
 * CM_CODE(name, HTTP status for a peer of ours, exit status as in sysexits(3),
 * 1 when trying again later may help, meaning)
 *
 * Included several times, so without a guard. To a gem the module answers 503
 * instead of every status but 401, 403 and 409 (docs/wire.md). */
/* clang-format off */
CM_CODE(USAGE,       400, 64, 0, "the command line is wrong")
CM_CODE(CONFIG,      500, 78, 0, "the configuration is wrong")
CM_CODE(SCHEMA,      503, 78, 0, "tables or triggers are not as needed")
CM_CODE(MALFORMED,   400, 65, 0, "the data cannot be read")
CM_CODE(REJECTED,    422, 65, 0, "the database refuses a value")
CM_CODE(WAITS,       422, 75, 1, "a record that this one needs is not here yet")
CM_CODE(CONFLICT,    422, 65, 0, "a conflict waits for a person")
CM_CODE(GAP,         409, 75, 1, "the batch does not follow the last message held")
CM_CODE(EPOCH,       409, 76, 0, "the peer's history is not the one known here")
CM_CODE(PROTOCOL,    502, 76, 0, "the answer does not come from Communicator")
CM_CODE(UNAVAILABLE, 503, 75, 1, "the database cannot be reached")
CM_CODE(BUSY,        503, 75, 1, "the database is busy")
CM_CODE(DATABASE,    500, 70, 0, "the database reports an error")
CM_CODE(NETWORK,     502, 75, 1, "the peer cannot be reached")
CM_CODE(TIMEOUT,     504, 75, 1, "the peer did not answer in time")
CM_CODE(TLS,         502, 76, 0, "no secure connection to the peer")
CM_CODE(PROXY,       502, 77, 0, "the proxy does not let us through")
CM_CODE(UNAUTHORIZED, 401, 77, 0, "the peer refuses the credentials")
CM_CODE(FORBIDDEN,   403, 77, 0, "the peer forbids access")
CM_CODE(NOT_FOUND,   404, 69, 0, "there is nothing at this address")
CM_CODE(TOO_LARGE,   413, 65, 0, "the data is larger than allowed")
CM_CODE(PEER_FAILED, 502, 75, 1, "the peer failed")
CM_CODE(LOCKED,      503, 75, 1, "another run is in progress")
CM_CODE(PAUSED,      503, 75, 1, "synchronisation is paused")
CM_CODE(FILE,        500, 74, 0, "a file cannot be read or written")
CM_CODE(INTERRUPTED, 503, 75, 1, "the run was asked to stop")
CM_CODE(INTERNAL,    500, 70, 0, "an internal error")
/* clang-format on */
