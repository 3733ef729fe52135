/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Between the files of strategies. */
#ifndef TEST_MPC_STRATEGIES_H
#define TEST_MPC_STRATEGIES_H

#include "mpc/gr.h"
#include "mpc/wire.h"
#include "network.h"

/* The message's bytes are these from now on. */
void strategy_replace(struct network_message *m, struct bytes body);

/* Tells some one value and others another, or nothing, and all liars echo and vote accordingly: in
 * each round each honest party is shown one of the two, or neither. */
bool strategy_equivocates(struct network *net, struct network_message *m);
/* Says of everybody that they said something else, and votes for it. */
bool strategy_slanders(struct network *net, struct network_message *m);

/* Deals some, or more than t, another sharing than the rest, and is honest otherwise. */
bool strategy_bad_deal(struct network *net, struct network_message *m);
bool strategy_worse_deal(struct network *net, struct network_message *m);
/* Deals rows that lie on a polynomial of degree t + 1. */
bool strategy_wrong_degree(struct network *net, struct network_message *m);
/* All liars say that they got something else from one honest dealer than they did; later they say
 * the truth, or they stick to it. */
bool strategy_false_complaint(struct network *net, struct network_message *m);
bool strategy_stubborn_complaint(struct network *net, struct network_message *m);
/* Deals badly, and in the end opens something else than it dealt. */
bool strategy_false_answer(struct network *net, struct network_message *m);
/* Deals badly, and in the end opens something wrong of a party that never complained, too. */
bool strategy_answers_for_all(struct network *net, struct network_message *m);

#endif
