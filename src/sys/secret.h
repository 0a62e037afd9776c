/*
 * A process that holds a secret. A token is copied on its way to the origin (the environment, our
 * strings, libcurl's requests and buffers), so it is not one buffer that is kept from others but
 * the process.
 */
#ifndef SYS_SECRET_H
#define SYS_SECRET_H

/*
 * From here on the process leaves no core dump, and no other process of this user may read its
 * memory or environment; root may. A program that it executes starts without that. Any thread, any
 * number of times.
 */
void secret_held(void);

#endif
