/*
 * Growing arrays in an arena: VEC(type) declares one, vec_push() appends. Old storage stays with
 * the arena, so pointers to elements are good until the next push only.
 */
#ifndef TEXT_VEC_H
#define TEXT_VEC_H

#include <stddef.h>
#include <string.h>

#include "mem/arena.h"

#define VEC(type)   \
    struct {        \
        type *at;   \
        size_t len; \
        size_t cap; \
    }

#define vec_push(arena, v, value)                                                        \
    do {                                                                                 \
        if ((v)->len == (v)->cap) {                                                      \
            (v)->cap = (v)->cap == 0 ? 8 : (v)->cap * 2;                                 \
            void *grown_ =                                                               \
                arena_alloc((arena), (v)->cap, sizeof(*(v)->at), _Alignof(max_align_t)); \
            if ((v)->len > 0)                                                            \
                memcpy(grown_, (v)->at, (v)->len * sizeof(*(v)->at));                    \
            (v)->at = grown_;                                                            \
        }                                                                                \
        (v)->at[(v)->len++] = (value);                                                   \
    } while (0)

#endif
