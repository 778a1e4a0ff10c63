/* A library that does nothing: what any LD_PRELOAD costs. */
int bench_trivial(void);
int bench_trivial(void) { return 0; }
