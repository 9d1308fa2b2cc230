/* ready.h - telling whoever started the program that it answers now. */
#pragma once

/* A newline on the descriptor that $PICSTORE_READY_FD names, READY=1 on $NOTIFY_SOCKET.
 * Both variables are taken away, so that no child reports in our name. */
void ready_report(void);
