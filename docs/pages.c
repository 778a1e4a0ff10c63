/* Fills the templates of manual pages and completions with the tables of the code: standard input to standard output.
 *
 * A line that is one of these words alone is replaced by the table's rows: @commands@ (roff), @keys egret@, @keys entry@, @hooks@,
 * @names@ (of the sub-commands), @bash@, @zsh@. @VERSION@ is replaced anywhere. */
#include <stdbool.h>
#include <stddef.h>

struct command {
	const char *name, *arguments, *help, *options;
};
static const struct command commands[] = {
#define COMMAND(name, function, arguments, help, options) { name, arguments, help, options },
#include "tools/commands.def"
#undef COMMAND
};

enum where { EGRET = 1, ENTRY = 2, BOTH = 3 };
struct key {
	const char *name;
	enum where where;
	const char *values, *fallback, *help;
};
static const struct key keys[] = {
#define EGRET_KEY(name, where, form, setter, values, fallback, help) { #name, where, values, fallback, help },
#include "policy/keys.def"
#undef EGRET_KEY
};

static const char *const hooks[] = {
#define HOOK(ret, name, handler, params, args, early) #name,
#define HAND(ret, name, params, early) #name,
#include "preload/hooks.def"
#undef HOOK
#undef HAND
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* TEXT for roff: no line may start with a dot or quote, backslashes and dashes mean themselves. */
static void roff(const char *text)
{
	for (bool first = true; *text; text++) {
		if (first && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		first = *text == '\n';
	}
}

/* Calls EACH with every line of OPTIONS: the flag up to two spaces, and what it does. */
static void each_option(const struct command *command, void (*each)(const struct command *, const char *flag, const char *text))
{
	char *copy = strdup(command->options), *rest = copy, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *gap = strstr(line, "  ");

		if (!gap)
			continue;
		*gap++ = '\0';
		each(command, line, gap + strspn(gap, " "));
	}
	free(copy);
}

static void roff_option(const struct command *command, const char *flag, const char *text)
{
	(void)command;
	fputs(".RS\n.TP\n.B ", stdout);
	roff(flag);
	putchar('\n');
	roff(text);
	puts("\n.RE");
}

static void print_commands(void)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		printf(".TP\n.B egret %s ", commands[i].name);
		roff(commands[i].arguments);
		putchar('\n');
		roff(commands[i].help);
		putchar('\n');
		each_option(&commands[i], roff_option);
	}
}

static void print_keys(enum where where)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (!(keys[i].where & where) || (where == EGRET && keys[i].where == BOTH))
			continue;
		printf(".TP\n.B %s\n", keys[i].name);
		roff(keys[i].help);
		fputs("\n.br\nValues: ", stdout);
		roff(keys[i].values);
		putchar('.');
		if (keys[i].fallback[0]) {
			fputs(" Default: ", stdout);
			roff(keys[i].fallback);
			putchar('.');
		}
		putchar('\n');
	}
}

static void print_hooks(void)
{
	puts(".nh\n.ad l");
	for (size_t i = 0; i < COUNT(hooks); i++)
		printf("%s%s", hooks[i], i + 1 < COUNT(hooks) ? ",\n" : ".\n");
	puts(".ad b\n.hy");
}

static void print_names(void)
{
	for (size_t i = 0; i < COUNT(commands); i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	putchar('\n');
}

/* The flag word alone: "--mode=" of "--mode=MODE", "-c" of "-c FILE". */
static void flag_word(const struct command *command, const char *flag, const char *text)
{
	size_t len = strcspn(flag, "= ");

	(void)command;
	(void)text;
	printf(" %.*s", (int)(len + (flag[len] == '=')), flag);
}

static void print_bash(void)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		printf("\t%s) words='--help", commands[i].name);
		each_option(&commands[i], flag_word);
		puts("' ;;");
	}
}

/* A text in zsh's '...[...]' form has no quote, bracket or colon of its own. */
static void zsh_text(const char *text)
{
	for (; *text; text++)
		if (!strchr("'[]:", *text))
			putchar(*text);
}

static void zsh_option(const struct command *command, const char *flag, const char *text)
{
	size_t len = strcspn(flag, "= ");

	(void)command;
	printf(" '%.*s%s[", (int)len, flag, flag[len] == '=' ? "=" : "");
	zsh_text(text);
	printf("]%s'", !flag[len] ? "" : strstr(flag, "FILE") ? ":file:_files" : ":value:");
}

static void print_zsh(void)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		printf("\t%s) _arguments '--help[how it is used]'", commands[i].name);
		each_option(&commands[i], zsh_option);
		puts(" '*::argument:_normal' ;;");
	}
}

static void print_zsh_names(void)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		printf("\t'%s:", commands[i].name);
		zsh_text(commands[i].help);
		puts("'");
	}
}

static bool print_table(const char *line)
{
	if (!strcmp(line, "@commands@\n"))
		print_commands();
	else if (!strcmp(line, "@keys egret@\n"))
		print_keys(EGRET);
	else if (!strcmp(line, "@keys entry@\n"))
		print_keys(ENTRY);
	else if (!strcmp(line, "@hooks@\n"))
		print_hooks();
	else if (!strcmp(line, "@names@\n"))
		print_names();
	else if (!strcmp(line, "@bash@\n"))
		print_bash();
	else if (!strcmp(line, "@zsh@\n"))
		print_zsh();
	else if (!strcmp(line, "@zsh names@\n"))
		print_zsh_names();
	else
		return false;
	return true;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *version = strstr(line, "@VERSION@");

		if (version)
			printf("%.*s%s%s", (int)(version - line), line, EGRET_VERSION, version + strlen("@VERSION@"));
		else if (!print_table(line))
			fputs(line, stdout);
	}
	free(line);
	return fflush(stdout) || ferror(stdin);
}
