/* grad/node.h owns what only this room needs of nodes: their release, and whether a gradient is
 * wanted behind a variable. */
#ifndef RNL_GRAD_NODE_H
#define RNL_GRAD_NODE_H

#include "grad/op.h"

void rnl_node_release(rnl_node *node);

/* Whether a parameter stands behind the variable. */
bool rnl_var_tracked(const rnl_var *var);

#endif
