/* The numbers of the module's log messages: one per message and place, never
 * reused. mod_communicator(8) explains each. */
#ifndef CM_EXCHANGE_LOG_H
#define CM_EXCHANGE_LOG_H

#define CM0001 "CM0001: " /* no user is logged in */
#define CM0002 "CM0002: " /* the user is not a peer */
#define CM0003 "CM0003: " /* plain HTTP from elsewhere */
#define CM0004 "CM0004: " /* a web page of another site sent the request */
#define CM0005 "CM0005: " /* the request comes from another node */
#define CM0006 "CM0006: " /* SetHandler without Communicator On */
#define CM0007 "CM0007: " /* the endpoint is switched off */
#define CM0008 "CM0008: " /* the body is too large, slow or broken */
#define CM0009 "CM0009: " /* a push or pull failed */
#define CM0010 "CM0010: " /* a push or pull failed, but may succeed later */
#define CM0011 "CM0011: " /* the request is not understood */
#define CM0012 "CM0012: " /* messages received */
#define CM0013 "CM0013: " /* messages sent */
#define CM0014 "CM0014: " /* messages parked */
#define CM0015 "CM0015: " /* httpd's own answer was changed for a gem */
#define CM0016 "CM0016: " /* the database is tried again */
#define CM0017 "CM0017: " /* a refusal is sent without epoch */
#define CM0018 "CM0018: " /* what is parked was tried again */
#define CM0023 "CM0023: " /* records published again, as asked */
#define CM0019 "CM0019: " /* the node is paused, or resumed */
#define CM0020 "CM0020: " /* the configuration is wrong */
#define CM0021 "CM0021: " /* mod_dbd is not loaded */
#define CM0022 "CM0022: " /* DBDriver, DBDParams are missing or wrong */
#define CM0024 "CM0024: " /* messages that cannot be sent are skipped */
#define CM0025 "CM0025: " /* most of a batch is parked */
#define CM0026 "CM0026: " /* messages are withheld from a peer */
#define CM0028 "CM0028: " /* a request without our headers is refused */
#define CM0029 "CM0029: " /* protocol=gem, but the peer uses our protocol */
#define CM0030 "CM0030: " /* SetHandler without CommunicatorStatus On */
#define CM0031 "CM0031: " /* a status page where no CommunicatorName is set */
#define CM0032 "CM0032: " /* the status cannot be read */
#define CM0033 "CM0033: " /* database, tables or triggers are wrong */
#define CM0034 "CM0034: " /* they are correct, or correct again */
#define CM0035 "CM0035: " /* a peer is silent */
#define CM0036 "CM0036: " /* a silent peer is back */
#define CM0037 "CM0037: " /* mod_watchdog is not loaded */
#define CM0038 "CM0038: " /* mod_watchdog fails */
#define CM0039 "CM0039: " /* a problem cannot be noted */
#define CM0044 "CM0044: " /* a column does not keep what is written */
#define CM0045 "CM0045: " /* CommunicatorAfterApply fails */
#define CM0046 "CM0046: " /* the journal cannot be written */
#define CM0047 "CM0047: " /* a peer was a gem until now: what it is sent */
#define CM0048 "CM0048: " /* messages that a gem does not have any more */
#define CM0049 "CM0049: " /* a peer mends histories that do not fit */

#endif
