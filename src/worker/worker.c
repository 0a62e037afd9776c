#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/num.h"
#include "worker/ahead.h"
#include "worker/commands.h"
#include "worker/environment.h"
#include "worker/fill.h"
#include "worker/hearing.h"
#include "worker/holding.h"
#include "worker/in_use.h"
#include "worker/log.h"
#include "worker/notify.h"
#include "worker/registrar.h"
#include "worker/restart.h"
#include "worker/start_refuse.h"
#include "worker/status.h"
#include "worker/substitute.h"
#include "worker/supervise.h"
#include "worker/words.h"

#define ROUND_MS UINT64_C(1000)

struct worker {
    const struct worker_options *o;
    struct arena *arena;
    struct news news;
    struct worker_log log;
    struct status_keeper status;
    struct notify notify;
    struct supervisor supervisor;
    struct restart restart;
    struct ahead ahead;
    struct hearing hearing;
    struct in_use in_use;
    struct holding holding;
    struct registrar registrar;
    char why[NEWS_REASON];
};

/* What became of a wait. */
enum outcome {
    OUTCOME_READY,
    OUTCOME_STOP,   /* we were told to end */
    OUTCOME_ENDED,  /* one of the commands has */
    OUTCOME_LATE,   /* --start-timeout */
    OUTCOME_BROKEN, /* nobody can ask whether it is ready */
};

/* Before the pull only to see that they can be made. */
static int make_commands(struct worker *w, bool for_real, struct err *err)
{
    const struct commands_of of = {.config = w->o->config,
                                   .choice = w->o->choice,
                                   .command = w->o->command,
                                   .planned = w->o->planned,
                                   .for_real = for_real};

    return commands_make(&w->supervisor.commands, &w->supervisor.count, w->arena, &of, err);
}

static struct supervised *cmd_of(struct worker *w)
{
    return &w->supervisor.commands[w->supervisor.count - 1];
}

/* vLLM takes the path for the name that clients must ask for, if nobody says another. */
static void warn_of_path_as_name(struct worker *w)
{
    if (strcmp(w->o->type->engine, "vllm") != 0 || !substitute_has_path(w->o->command) ||
        words_have((const char *const *)w->o->command, "--served-model-name"))
        return;
    report_note(w->o->report, REPORT_WARN, "no_served_name", NULL,
                "vllm gets a path and no --served-model-name: its clients must ask for the model "
                "by that path; add --served-model-name {name:MODEL}");
}

static void open_observers(struct worker *w)
{
    struct err err = {0};

    w->log = (struct worker_log){.report = w->o->report, .type = w->o->type->name};
    if (status_keep(&w->status, w->arena, w->o->config, w->o->clock, &err) < 0) {
        report_note(w->o->report, REPORT_WARN, "no_status", NULL,
                    "hostler status will know nothing of this worker: %s", err.msg);
    } else {
        const char **models = arena_array(w->arena, const char *, w->o->choice->count + 1);

        for (size_t i = 0; i < w->o->choice->count; i++)
            models[i] = w->o->choice->wants[i].ref.text;
        w->status.status.type = w->o->type->name;
        w->status.status.models = models;
        w->status.status.model_count = w->o->choice->count;
        news_add(&w->news, status_observe, &w->status);
    }
    if (w->registrar.pid > 0)
        news_add(&w->news, registrar_observe, &w->registrar);
    notify_open(&w->notify, w->o->variables, w->o->clock);
    news_add(&w->news, notify_observe, &w->notify);
    /* Last: whoever reads of a move in the log finds it in the status, too. */
    news_add(&w->news, worker_log_observe, &w->log);
}

/* The end of the news: err, or a clean one. Nothing of ours runs any more. */
static void conclude(struct worker *w, enum fleet_state to, const char *why)
{
    news_engine(&w->news, false, 0);
    if (fleet_state_may_move(news_state(&w->news), to))
        news_move(&w->news, to, why);
}

/* Waits until the checks of a command hold. None: it is ready as it is started. */
static enum outcome await_ready(struct worker *w, const struct ready_checks *checks,
                                struct err *err)
{
    struct supervisor *s = &w->supervisor;
    uint64_t late = clock_now_ms(w->o->clock) + w->o->config->options.start_timeout_ms;
    char how[CHILD_ENDED];

    if (checks->len == 0)
        return OUTCOME_READY;
    if (prober_start(&s->prober, checks, &s->net, s->variables, err) < 0)
        return OUTCOME_BROKEN;
    while (s->prober.pid > 0) {
        if (s->stop != 0)
            return OUTCOME_STOP;
        if (supervisor_ended(s) != NULL)
            return OUTCOME_ENDED;
        if (clock_now_ms(w->o->clock) >= late)
            return OUTCOME_LATE;
        supervisor_round(s, ROUND_MS);
        ahead_look(&w->ahead);
    }
    if (s->prober_status == 0)
        return OUTCOME_READY;
    (void)err_set(err, ERR_BUG, "who asks whether it is ready %s",
                  child_ended(how, s->prober_status));
    return OUTCOME_BROKEN;
}

/* Starts one command and waits until it is ready. */
static int start_one(struct worker *w, struct supervised *command, enum outcome *ret_outcome,
                     int *ret_cannot, struct err *err)
{
    struct supervisor *s = &w->supervisor;
    bool is_cmd = command == cmd_of(w);
    struct ready_checks checks;
    int started;
    struct ready_of of = {
        .argv = command->argv,
        .variables = s->variables,
        .engine = is_cmd ? w->o->type->engine : NULL,
        .named = is_cmd,
    };

    if (ready_checks_of(&checks, w->arena, w->o->config, w->o->choice, &of, err) < 0)
        return -1;
    if (is_cmd)
        hearing_prepare(&w->hearing, command);
    started = supervisor_start(s, command, ret_cannot, err);
    if (is_cmd)
        hearing_begin(&w->hearing, command);
    if (started < 0)
        return -1;
    if (*ret_cannot != 0)
        return start_cannot(command, *ret_cannot, err);
    if (is_cmd) {
        news_engine(&w->news, true, command->pid);
        ahead_start(&w->ahead, w->arena, w->o->config, w->o->report, w->o->choice,
                    w->status.runtime.fd);
    }
    *ret_outcome = await_ready(w, &checks, err);
    if (*ret_outcome == OUTCOME_LATE)
        return start_late(command, s->prober.reason, w->o->config->options.start_timeout_ms, err);
    return *ret_outcome == OUTCOME_BROKEN ? -1 : 0;
}

static int start_all(struct worker *w, enum outcome *outcome, int *ret_cannot, struct err *err)
{
    struct supervisor *s = &w->supervisor;

    *outcome = OUTCOME_READY;
    for (size_t i = 0; i < s->count && *outcome == OUTCOME_READY; i++) {
        /* When CMD is started again the servers beside it are there. */
        if (s->commands[i].pid > 0)
            continue;
        if (start_one(w, &s->commands[i], outcome, ret_cannot, err) < 0)
            return -1;
    }
    return 0;
}

/* CMD runs, and is ready. */
static void watch_it(struct worker *w)
{
    struct supervisor *s = &w->supervisor;

    hearing_ready(&w->hearing, cmd_of(w));
    news_ready(&w->news, true);
    news_move(&w->news, FLEET_RUNNING, NULL);
    while (s->stop == 0 && supervisor_ended(s) == NULL) {
        supervisor_round(s, ROUND_MS);
        ahead_look(&w->ahead);
    }
}

/* True: CMD failed and is to be started again, after a wait that nobody cut short. */
static bool start_again(struct worker *w)
{
    struct supervisor *s = &w->supervisor;
    struct supervised *cmd = cmd_of(w);
    const struct supervised *ended = supervisor_ended(s);
    char how[CHILD_ENDED];
    char wait[NUM_TEXT];
    uint64_t wait_ms;
    uint64_t until;

    if (s->stop != 0 || ended != cmd || cmd->wait_status == 0 ||
        !restart_next(&w->restart, clock_now_ms(w->o->clock) - cmd->started_ms, &wait_ms))
        return false;
    (void)snprintf(w->why, sizeof(w->why), "%s %s; start %ju of it in %s", cmd->name,
                   child_ended(how, cmd->wait_status), (uintmax_t)w->restart.count + 1,
                   num_format_duration(wait, wait_ms));
    news_restarts(&w->news, w->restart.count);
    news_engine(&w->news, true, 0);
    news_move(&w->news, FLEET_LAUNCHING, w->why);
    until = clock_now_ms(w->o->clock) + wait_ms;
    while (s->stop == 0 && clock_now_ms(w->o->clock) < until)
        supervisor_round(s, until - clock_now_ms(w->o->clock));
    if (s->stop == 0)
        cmd->started_ms = 0;
    return s->stop == 0;
}

/* Starts, watches and starts again, until there is a reason to end. */
static int serve(struct worker *w, int *ret_cannot, struct err *err)
{
    enum outcome outcome;

    do {
        int r = start_all(w, &outcome, ret_cannot, err);

        if (r == 0 && outcome == OUTCOME_READY)
            watch_it(w);
        ahead_stop(&w->ahead);
        if (cmd_of(w)->pid == 0)
            hearing_end(&w->hearing, cmd_of(w));
        if (r < 0)
            return -1;
    } while (start_again(w));
    return 0;
}

/* What ended it, in words, and the exit status that says so. */
static int say_why(struct worker *w, const struct supervised *first)
{
    struct supervisor *s = &w->supervisor;
    const struct supervised *cmd = cmd_of(w);
    char how[CHILD_ENDED];
    int status;

    if (first != NULL && first != cmd) {
        status = child_exit_status(first->wait_status);
        (void)snprintf(w->why, sizeof(w->why), "%s, which stood beside %s, %s", first->name,
                       cmd->name, child_ended(how, first->wait_status));
        return status != 0 ? status : 1;
    }
    if (cmd->started_ms == 0) {
        (void)snprintf(w->why, sizeof(w->why), "told to end before %s was started", cmd->name);
        return 128 + s->stop;
    }
    status = child_exit_status(cmd->wait_status);
    (void)snprintf(w->why, sizeof(w->why), "%s %s: exit status %d is its own", cmd->name,
                   child_ended(how, cmd->wait_status), status);
    return status;
}

static void drain(struct worker *w, const char *why)
{
    if (fleet_state_may_move(news_state(&w->news), FLEET_DRAINING))
        news_move(&w->news, FLEET_DRAINING, why);
    supervisor_end(&w->supervisor);
    hearing_end(&w->hearing, cmd_of(w));
}

/* The commands, from the first start to the last end. */
static int supervise(int *ret_status, struct worker *w, struct err *err)
{
    struct supervisor *s = &w->supervisor;
    const struct supervised *first;
    int cannot = 0;
    int served;

    news_engine(&w->news, true, 0);
    news_move(&w->news, FLEET_LAUNCHING, NULL);
    served = serve(w, &cannot, err);
    first = supervisor_ended(s);
    drain(w, s->stop != 0 ? "told to end" : served < 0 ? err->msg : NULL);
    if (served < 0) {
        conclude(w, FLEET_FAILED, err->msg);
        if (cannot == 0)
            return -1;
        report_emit(w->o->report, &(struct report_event){.kind = REPORT_FAILED, .err = err});
        *ret_status = child_exit_of_errno(cannot);
        return 0;
    }
    *ret_status = say_why(w, first);
    conclude(w, s->stop != 0 || *ret_status == 0 ? FLEET_STOPPED : FLEET_FAILED, w->why);
    return 0;
}

/* Up to the start of the commands. */
static int prepare(struct worker *w, struct err *err)
{
    const struct worker_options *o = w->o;
    uint64_t gated_ms;
    struct str gpus;

    news_move(&w->news, FLEET_GATING, NULL);
    if (gate_pass(o->gate, &gpus, w->arena,
                  &(struct gate_ask){.config = o->config, .type = o->type, .report = o->report},
                  err) < 0)
        return -1;
    gated_ms = clock_now_ms(o->clock);
    registrar_gpus(&w->registrar, gpus);
    hearing_init(&w->hearing, o->config, o->report, o->type, o->choice, gpus);
    if (fill_volume(w->arena, o->config, o->report, o->choice, &w->news, err) < 0 ||
        make_commands(w, true, err) < 0)
        return -1;
    registrar_models(&w->registrar, w->arena, o->config, o->choice);
    in_use_begin(&w->in_use, w->arena, o->config, o->report, o->choice);
    news_add(&w->news, in_use_observe, &w->in_use);
    holding_begin(&w->holding, w->arena,
                  &(struct holding_of){.config = o->config,
                                       .type = o->type->name,
                                       .gate = o->gate,
                                       .planned = o->planned,
                                       .registrar = &w->registrar,
                                       .in_use = &w->in_use},
                  gpus, clock_now_ms(o->clock) - gated_ms);
    news_add(&w->news, holding_observe, &w->holding);
    w->supervisor.variables = environment_for_child(w->arena, o->variables, o->config);
    return supervisor_begin(&w->supervisor, err);
}

int worker_run(int *ret_status, struct arena *a, const struct worker_options *options,
               struct err *err)
{
    struct worker w = {
        .o = options,
        .arena = a,
        .status = {.runtime = {.fd = -1}},
        .supervisor = {.config = options->config,
                       .clock = options->clock,
                       .report = options->report,
                       .signals = -1},
        .restart = {.limit = options->config->options.restart},
    };
    int r;

    w.supervisor.news = &w.news;
    if (make_commands(&w, false, err) < 0 ||
        registrar_open(&w.registrar, a,
                       &(struct registrar_of){.config = options->config,
                                              .report = options->report,
                                              .type = options->type,
                                              .choice = options->choice},
                       err) < 0)
        return -1;
    w.supervisor.spared = w.registrar.pid;
    news_init(&w.news, options->clock);
    open_observers(&w);
    warn_of_path_as_name(&w);
    r = prepare(&w, err);
    if (r == 0)
        r = supervise(ret_status, &w, err);
    else
        conclude(&w, err->code == ERR_INTERRUPTED ? FLEET_STOPPED : FLEET_FAILED, err->msg);
    supervisor_done(&w.supervisor);
    holding_end(&w.holding);
    in_use_end(&w.in_use);
    registrar_close(&w.registrar);
    notify_close(&w.notify);
    status_keep_done(&w.status);
    news_done(&w.news);
    return r;
}
