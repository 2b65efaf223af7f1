/* Memory for SQLite, which took a sixth of the time: malloc() keeps few free
 * blocks of a size at hand. What SQLite gives back here waits for who wants as
 * much. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

/* Let SQLite take its memory here, by its sqlite3_config(): before its first
 * use. Where a sanitizer looks after the memory it stays with malloc(). */
void sim_heap_begin(int (*config)(int, ...));

#endif
