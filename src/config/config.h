/*
 * The configuration of one run: flags over environment over hostler.yaml over defaults.
 *
 * options.def is the one table of all options: name, letter, type, unit, default, range,
 * environment variables, key in the file, the commands that take it, secret or not, help. Command
 * line parser, environment, file, help, completion and the unknown-value messages come from it. A
 * value that is not taken is ERR_USAGE that names the variable, flag or key, its place
 * (file:line:column) and what it takes. Plain values in the arena; nothing changes after
 * config_load().
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/catalog.h"
#include "err/err.h"
#include "gpu/gate.h"
#include "layout/layout.h"
#include "mem/arena.h"
#include "report/report.h"
#include "source/source.h"
#include "text/buf.h"
#include "transfer/net.h"

/* A list of texts; at[len] is NULL. */
struct config_list {
    const char *const *at;
    size_t len;
};

/* How a model of Ollama gets there. */
enum ollama_via {
    OLLAMA_VIA_AUTO,  /* into the store; where that cannot be written, by a running Ollama */
    OLLAMA_VIA_STORE, /* never by a running Ollama */
    OLLAMA_VIA_API,   /* always by a running Ollama */
};

/* Every option of options.def has a field here of its name, typed by its type. */
struct config_options {
    /* all commands */
    bool json, quiet, verbose;
    struct config_list debug;
    const char *config; /* --config, HOSTLER_CONFIG */
    const char *volume; /* --volume */
    enum report_progress_mode progress;
    /* pull and run */
    enum ollama_via ollama_via;
    bool update, offline, dry_run, all_files, force, optional, wait_for_others;
    struct config_list include, exclude, insecure_http;
    const char *revision;
    uint64_t connections; /* 0: adapts */
    uint64_t limit_rate;  /* bytes a second, 0: none */
    uint64_t wait_ms;     /* UINT64_MAX: as long as it makes progress */
    uint64_t give_up_ms;
    uint64_t takeover_ms;
    uint64_t read_ahead;    /* bytes at most; 0: off, UINT64_MAX: auto */
    uint64_t first_byte_ms; /* 0: the default of 30 s, or 10 min through a proxy */
    /* run */
    const char *worker; /* NULL: WORKER_TYPE */
    struct config_list with;
    uint64_t restart;       /* how often at most; 0: never, UINT64_MAX: no limit */
    const char *ready_http; /* NULL: none */
    uint64_t ready_tcp;     /* 0: none */
    const char *ready_cmd;  /* NULL: none */
    uint64_t start_timeout_ms;
    uint64_t stop_timeout_ms;
    /* status */
    bool live, ready;
    /* gpus and run */
    bool preload;
    const char *advertise; /* NULL: nowhere */
    const char *events;    /* --events; NULL: nowhere */
    const char *gpus_from; /* NULL: this host is looked at */
    uint64_t gpu_timeout_ms;
    /* plan; of each number 0, of each text NULL: not said */
    struct config_list gpu, pin;
    const char *plan;  /* pull, run */
    const char *learn; /* run; NULL: auto */
    const char *learn_from;
    const char *check, *format, *engine, *kv_cache_dtype, *dtype;
    uint32_t utilization; /* thousandths */
    uint64_t context, tp, max_num_seqs, max_num_batched_tokens;
    uint64_t reserve; /* bytes; UINT64_MAX: not said */
    bool eager, explain, spread, no_variants, fleet;
    /* coordinator; NULL texts: not named */
    const char *listen, *data_dir, *registry, *token_file, *make_token, *tls_cert, *tls_key;
    const char *etcd_user, *etcd_password_file, *etcd_cert, *etcd_key;
    bool allow_anonymous;
    uint64_t ttl_ms, keep_lost_ms, max_workers, max_connections, request_timeout_ms, rate;
    /* workers */
    const char *type, *state, *model;
    struct config_list label;
    bool watch;
};

/* What the environment says about GPUs. */
struct config_gpu {
    enum gpu_enable enable;    /* ENABLE_GPU */
    bool min_named;            /* MIN_GPU_MEMORY_GB is set */
    uint64_t min_memory_bytes; /* its value */
    struct gpu_visible visible;
};

/* The coordinator that workers register with; of each NULL: not named. */
struct coordinator_config {
    struct config_list urls; /* one after the other */
    const char *token;
    const char *token_file;
};

struct config {
    struct config_options options;
    const char *file;        /* hostler.yaml that was read; NULL: none */
    const char *volume_path; /* --volume, else MODEL_CACHE_DIR, else /models */
    bool volume_named;
    const char *host;        /* HOSTLER_HOST, else NODE_NAME, else the hostname */
    const char *ollama_url;  /* OLLAMA_URL */
    bool ollama_url_named;   /* the operator named it, it is not the default */
    const char *worker_type; /* WORKER_TYPE, NULL: none */
    const char *worker_id;   /* WORKER_ID, NULL: none */
    const char *runtime_dir; /* HOSTLER_RUNTIME_DIR, NULL: none */
    const char *hf_home;     /* HF_HOME, made whole */
    bool offline_all;        /* --offline, HOSTLER_OFFLINE */
    bool offline_hf;         /* HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE too */
    struct config_gpu gpu;
    enum report_level log_level;
    bool log_json;
    const char *log_file;
    bool log_file_named;
    struct catalog catalog;
    /* ready-made for the domains below; volume pointers are filled in by pull */
    struct net_config net;
    struct source_config source;
    struct layout_config layout;
    struct coordinator_config coordinator;
    bool help;                   /* --help was there: nothing else of this is filled in */
    struct config_list args;     /* what stands beside the options on the command line */
    struct config_list warnings; /* to be logged once: LOG_LEVEL=loud taken as INFO, ... */
};

struct config_input {
    const char *command; /* whose options are taken */
    int argc;            /* after the command's name */
    char *const *argv;
    char *const *environ;
    const char *default_file; /* read if it is there; NULL: /etc/hostler/hostler.yaml */
};

int config_load(struct config *out, struct arena *a, const struct config_input *input,
                struct err *err) MUST_CHECK;

/* How to report by this configuration; descriptors, clock and log_to_stdout are the caller's. */
void config_report(struct report_options *out, const struct config *config);

/*
 * The same where config_load() failed: by the flags and variables that concern the report, as far
 * as they can be understood.
 */
void config_report_anyway(struct report_options *out, struct arena *a,
                          const struct config_input *input);

/* Help of the options that one command takes, and of the environment; from the tables. */
void config_print_help(struct buf *out, const char *command);
void config_print_environment(struct buf *out);

/* The flags of one command, for completion: "--update --offline ... -q -v". */
void config_print_flags(struct buf *out, const char *command);

#endif
