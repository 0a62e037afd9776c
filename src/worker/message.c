#include "worker/message.h"

#include <string.h>

#include "json/json.h"
#include "sys/clock.h"

void message_moved(struct message_moves *moves, enum fleet_state state, uint64_t unix_ms)
{
    if (moves->count == MESSAGE_MISSED_MAX + 1) {
        memmove(moves->at, moves->at + 1, MESSAGE_MISSED_MAX * sizeof(moves->at[0]));
        moves->count--;
    }
    moves->at[moves->count++] = (struct message_move){.state = state, .unix_ms = unix_ms};
}

enum beats_change message_change(const struct fleet_record *taken, const struct fleet_record *now)
{
    unsigned members = fleet_record_changes(taken, now);

    if ((members & FLEET_STATE) != 0)
        return BEATS_STATE;
    if ((members & ~(unsigned)FLEET_PROGRESS) != 0)
        return BEATS_MEMBERS;
    return members != 0 ? BEATS_PROGRESS : BEATS_SAME;
}

static void put_missed(struct buf *out, const struct message_moves *moves)
{
    char when[CLOCK_TEXT];

    if (moves->count < 2)
        return;
    json_put_key(out, "missed");
    buf_addc(out, '[');
    for (size_t i = 0; i + 1 < moves->count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member(out, "state", str_from(fleet_state_name(moves->at[i].state)));
        json_put_member(out, "since", str_from(clock_format_unix_ms(when, moves->at[i].unix_ms)));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static struct str put(struct arena *a, const struct fleet_record *now, unsigned members,
                      const struct message_moves *moves)
{
    struct buf out = buf_new(a, FLEET_MESSAGE_MAX);

    buf_addc(&out, '{');
    fleet_record_put_some(&out, now, members);
    put_missed(&out, moves);
    buf_addc(&out, '}');
    return buf_str(&out);
}

struct str message_body(struct arena *a, enum beats_message kind, const struct fleet_record *taken,
                        const struct fleet_record *now, const struct message_moves *moves,
                        bool lean)
{
    unsigned members = FLEET_ALL;

    if (kind != BEATS_REGISTER)
        members = (fleet_record_changes(taken, now) | FLEET_INSTANCE) & ~(unsigned)FLEET_ID;
    if (lean)
        members &= ~(unsigned)FLEET_GPUS;
    return put(a, now, members, moves);
}

struct str message_leave(struct arena *a, const struct fleet_record *now,
                         const struct message_moves *moves)
{
    return put(a, now, FLEET_INSTANCE | FLEET_STATE | FLEET_REASON | FLEET_PROGRESS, moves);
}
