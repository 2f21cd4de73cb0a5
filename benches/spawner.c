/*
 * spawner ROUNDS WARM-UP [SECONDS]: measures the cost of starting programs. SECONDS: the time limit of each program.
 *
 * Reads the variants from stdin, one for each line: NAME, then words: VARIABLE=VALUE for the environment, which
 * otherwise has only PATH, then the program and its arguments. More programs may follow, each after a word `+`. A
 * program after a word `;;` is started after the others and not measured: it undoes what they did. Neither are the
 * programs before a word `::`, which prepare what is measured. All variants are run
 * once a round, in a new random order each round, so that other load on the machine affects all of them equally.
 *
 * Prints a line for each: NAME, then median, shortest and longest time in nanoseconds, from before posix_spawn to after
 * wait4, then the largest resident size in kB, the page faults of the last run, the lowest number of processes that
 * were created on the whole machine (in some rounds it includes processes of the kernel), and the least processor time
 * in nanoseconds, of the programs and of all processes that they waited for. Ends at the first program that fails.
 * Exit status 3: a program was over the time limit.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 48, STEPS = 12, VARIANTS = 128 };

struct step {
	char *environment[WORDS], *program[WORDS];
	int variables, words;
};

struct variant {
	char *name;
	struct step steps[STEPS];
	int first, measured, all;
	long long *times, processor;
	long resident, faults, processes;
};

static struct variant variants[VARIANTS];
static posix_spawn_file_actions_t quiet;
static posix_spawnattr_t attributes;
static int limit;
static volatile pid_t running;
static volatile sig_atomic_t killed;

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The number of processes created since boot. */
static long processes(void)
{
	static char text[1 << 16];
	int file = open("/proc/stat", O_RDONLY);
	ssize_t length = read(file, text, sizeof text - 1), more;
	while (length > 0 && (more = read(file, text + length, sizeof text - 1 - length)) > 0)
		length += more;
	close(file);
	text[length > 0 ? length : 0] = '\0';
	char *line = strstr(text, "\nprocesses ");
	return line ? atol(line + 11) : 0;
}

/* With the processes that the program started. */
static void over_limit(int signal)
{
	(void)signal;
	killed = 1;
	kill(-running, SIGKILL);
}

static long long nanoseconds(struct timeval t)
{
	return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

/* Returns the processor time. */
static long long run(struct variant *v, struct step *step)
{
	pid_t pid;
	int status;
	struct rusage usage;
	if (posix_spawn(&pid, step->program[0], &quiet, &attributes, step->program, step->environment) != 0) {
		fprintf(stderr, "spawner: %s: cannot start %s\n", v->name, step->program[0]);
		exit(1);
	}
	running = pid;
	alarm(limit);
	if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
		fprintf(stderr, "spawner: %s: %s ended with status %#x\n", v->name, step->program[0], status);
		exit(killed ? 3 : 1);
	}
	alarm(0);
	if (step >= v->steps + v->first && step < v->steps + v->measured) {
		v->faults = usage.ru_minflt;
		if (usage.ru_maxrss > v->resident)
			v->resident = usage.ru_maxrss;
	}
	return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

static int ascending(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;
	return (x > y) - (x < y);
}

static void check(int fits)
{
	if (!fits) {
		fputs("spawner: too much\n", stderr);
		exit(2);
	}
}

static struct step *begin(struct variant *v)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	check(v->all < STEPS);
	struct step *step = &v->steps[v->all++];
	step->environment[step->variables++] = path;
	return step;
}

static void parse(struct variant *v, char *line)
{
	char *word;
	v->name = strtok(line, " \t\n");
	struct step *step = begin(v);
	while ((word = strtok(NULL, " \t\n"))) {
		if (strcmp(word, "::") == 0)
			v->first = v->all;
		if (strcmp(word, ";;") == 0)
			v->measured = v->all;
		if (strcmp(word, "::") == 0 || strcmp(word, ";;") == 0 || strcmp(word, "+") == 0)
			step = begin(v);
		else if (step->words == 0 && word[0] != '/' && strchr(word, '='))
			step->environment[step->variables++] = word;
		else
			step->program[step->words++] = word;
		check(step->variables < WORDS && step->words < WORDS);
	}
	if (v->measured == 0)
		v->measured = v->all;
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4)
		return 2;
	int rounds = atoi(argv[1]), warm_up = atoi(argv[2]), count = 0, order[VARIANTS];
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		check(count < VARIANTS);
		parse(&variants[count], line);
		variants[count].times = calloc(rounds, sizeof(long long));
		order[count] = count;
		count++;
		line = NULL;
	}
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	if (argc == 4) {
		limit = atoi(argv[3]);
		signal(SIGALRM, over_limit);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	}
	srandom(1);
	for (int round = -warm_up; round < rounds; round++) {
		for (int last = count - 1; last > 0; last--) {
			int other = random() % (last + 1), kept = order[last];
			order[last] = order[other];
			order[other] = kept;
		}
		for (int i = 0; i < count; i++) {
			struct variant *v = &variants[order[i]];
			int step = 0;
			while (step < v->first)
				run(v, &v->steps[step++]);
			long before = processes();
			long long start = now(), processor = 0;
			while (step < v->measured)
				processor += run(v, &v->steps[step++]);
			long long end = now();
			long made = processes() - before;
			if (round >= 0) {
				v->times[round] = end - start;
				if (round == 0 || made < v->processes)
					v->processes = made;
				if (round == 0 || processor < v->processor)
					v->processor = processor;
			}
			while (step < v->all)
				run(v, &v->steps[step++]);
		}
	}
	for (int i = 0; i < count; i++) {
		struct variant *v = &variants[i];
		qsort(v->times, rounds, sizeof(long long), ascending);
		printf("%s\t%lld\t%lld\t%lld\t%ld\t%ld\t%ld\t%lld\n", v->name, v->times[rounds / 2], v->times[0],
		       v->times[rounds - 1], v->resident, v->faults, v->processes, v->processor);
	}
	return 0;
}
