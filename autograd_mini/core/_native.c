/* The inner loop in C: what a `Value` holds, how the common operations are recorded in it, the order and the sweep.

   The Python text says what must happen, and runs where no compiler was; each function here names its twin there, and
   gives the same bits. What is unusual it leaves to its twin. There is no derivative here beyond those of + - * / neg
   and dot: for all others, C calls the rules of the table. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#ifdef Py_GIL_DISABLED
#error "This text relies on the interpreter's lock; Python without one runs the Python text."
#endif

/* -- a node ------------------------------------------------------------------------------------------------------- */

/* A number without its box: absent (`ZERO` or None), a double, an object (`FLAT`, or a tuple with a `ZERO`), or a block
   of doubles, one for each operand, of which those of constants mean nothing. */
enum { ABSENT, NUMBER, OBJECT, BLOCK };
typedef struct { Py_ssize_t count; double at[]; } Block;
typedef union { double number; PyObject *object; Block *block; } Number;
static const Number none = {0.0}, one = {1.0}, minus_one = {-1.0};

/* The fields of `cell.SLOTS`. A walk marks the nodes that it meets with a number of its own, and never has to clear it:
   no state of a sweep is left in a node. */
enum { LEFT, RIGHT, DATA, GRAD, NUMBERS };
typedef struct Cell {
    PyObject_HEAD
    PyObject *row, *left, *right, *notes; /* NULL or None */
    Number of[NUMBERS];                   /* both partials, the data and the gradient */
    unsigned char kind[NUMBERS];
    unsigned int place; /* in the order of the last walk that met this node */
    union { unsigned long long walk; struct Cell *next; } in; /* that walk; in a node to be freed, the next one */
} Cell;

/* What `cell.adopt` tells: rows of the table, objects of Python's, operators of `cell.Cell`, each with its reflection, two more
   twins, and the slots in which `Recording` and `Scope` keep what is needed here. */
enum { ADD, SUB, MUL, DIV, POW, NEG, DOT, SUM, WHERE, ZERO, TWO, RELU, RECORDING, VALUE, SCOPE, OPERATORS,
       DOT_TWIN = OPERATORS + 2 * (NEG + 1), SUM_TWIN, SLOTS, KNOWN = SLOTS + 5 };
static PyObject *known[KNOWN];
static PyTypeObject *value_type; /* `Value`, the class of the nodes that are made here */
static Py_ssize_t slots[KNOWN - SLOTS];
enum { NOW_SCOPE, NOW_OBSERVE, SCOPE_NAME, SCOPE_PARENT, SCOPE_SITE };

#define SLOT(object, which) (*(PyObject **)((char *)(object) + slots[which]))
#define CELL(x) ((Cell *)(x))
#define IS_VALUE(x) (Py_TYPE(x) == value_type)
#define DATA_OF(x) (CELL(x)->of[DATA].number)

static void drop(Number number, int kind) {
    if (kind == OBJECT) Py_DECREF(number.object);
    if (kind == BLOCK) PyMem_Free(number.block);
}

static PyTypeObject cell_type;
static unsigned long long walks; /* through graphs, ever */
static Cell *dying; /* nodes to be freed: a graph may be a million nodes deep, so this does not recurse */
static int is_freeing;
static Cell *spare; /* freed nodes for the next graph, at most 7 MB: Python would give their memory back to the system */
static int spares;
#define MOST_SPARES 65536

static void cell_dealloc(PyObject *self) {
    PyTypeObject *base = Py_TYPE(self);
    while (base->tp_dealloc != cell_dealloc) base = base->tp_base;
    if (base == &cell_type) Py_INCREF(Py_TYPE(self)); /* Python takes the node's reference away itself, perhaps before */
    PyObject_GC_UnTrack(self);
    CELL(self)->in.next = dying, dying = CELL(self);
    if (is_freeing) return;
    is_freeing = 1;
    for (Cell *node; (node = dying) != NULL;) {
        PyTypeObject *type = Py_TYPE(node);
        dying = node->in.next;
        Py_XDECREF(node->left), Py_XDECREF(node->right), Py_XDECREF(node->notes), Py_XDECREF(node->row);
        for (int i = 0; i < NUMBERS; i++) drop(node->of[i], node->kind[i]);
        if (type == value_type && spares < MOST_SPARES) node->in.next = spare, spare = node, spares++;
        else type->tp_free(node);
        Py_DECREF(type);
    }
    is_freeing = 0;
}

/* For a cycle through notes or what a subclass adds; to break it, the collector clears the dicts there. */
static int cell_traverse(PyObject *self, visitproc visit, void *arg) {
    PyObject *objects[] = {CELL(self)->row, CELL(self)->left, CELL(self)->right, CELL(self)->notes};
    for (int i = 0; i < 4; i++) Py_VISIT(objects[i]);
    for (int i = 0; i < NUMBERS; i++) Py_VISIT(CELL(self)->kind[i] == OBJECT ? CELL(self)->of[i].object : NULL);
    return 0;
}

static PyObject *get_notes(PyObject *self, void *unused) {
    return Py_NewRef(CELL(self)->notes ? CELL(self)->notes : Py_None);
}
static int track(PyObject *x, void *waiting) { /* the nodes, or those in a tuple, that are not yet tracked */
    if (PyTuple_CheckExact(x)) return Py_TYPE(x)->tp_traverse(x, track, waiting);
    if (!IS_VALUE(x) || PyObject_GC_IsTracked(x)) return 0;
    PyObject_GC_Track(x);
    return CELL(x)->in.next = *(Cell **)waiting, *(Cell **)waiting = CELL(x), 0;
}

static int set_notes(PyObject *self, PyObject *notes, void *unused) {
    Py_XSETREF(CELL(self)->notes, Py_XNewRef(notes));
    /* A node refers to older ones alone; only its `Notes` may lead to later ones, and so into a cycle. The collector
       tracks what has some, with all nodes behind: it sees a cycle only if it sees every part. */
    Cell *waiting = NULL;
    if (CELL(self)->notes == NULL || (PyObject *)Py_TYPE(notes) == known[SCOPE]) return 0;
    if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
    for (cell_traverse(self, track, &waiting), walks++; (self = (PyObject *)waiting) != NULL;)
        waiting = waiting->in.next, CELL(self)->in.walk = 0, cell_traverse(self, track, &waiting);
    return 0;
}

static int kind_of(PyObject *given, Number *number) { /* and the number, without its box */
    *number = none;
    if (given == NULL || given == known[ZERO] || given == Py_None) return ABSENT;
    if (PyFloat_CheckExact(given)) return number->number = PyFloat_AS_DOUBLE(given), NUMBER;
    return number->object = Py_NewRef(given), OBJECT;
}

static PyObject *get_number(PyObject *self, void *which) {
    Number number = CELL(self)->of[(Py_ssize_t)which];
    int kind = CELL(self)->kind[(Py_ssize_t)which];
    if (kind == NUMBER) return PyFloat_FromDouble(number.number);
    if (kind == OBJECT) return Py_NewRef(number.object);
    if (kind == ABSENT) return Py_NewRef((Py_ssize_t)which < DATA ? known[ZERO] : Py_None);
    PyObject *numbers = PyTuple_New(number.block->count), *box, *operands = CELL(self)->left;
    for (Py_ssize_t i = 0; numbers && i < number.block->count; i++) {
        int is_known = operands && PyTuple_CheckExact(operands) && i < PyTuple_GET_SIZE(operands);
        int is_edge = !is_known || !PyFloat_CheckExact(PyTuple_GET_ITEM(operands, i));
        if ((box = is_edge ? PyFloat_FromDouble(number.block->at[i]) : Py_NewRef(known[ZERO])) == NULL) Py_CLEAR(numbers);
        else PyTuple_SET_ITEM(numbers, i, box);
    }
    return numbers;
}

static int set_number(PyObject *self, PyObject *given, void *which) {
    Number before = CELL(self)->of[(Py_ssize_t)which];
    int kind = CELL(self)->kind[(Py_ssize_t)which];
    CELL(self)->kind[(Py_ssize_t)which] = (unsigned char)kind_of(given, &CELL(self)->of[(Py_ssize_t)which]);
    return drop(before, kind), 0;
}

static PyGetSetDef cell_numbers[] = {
    {"_dleft", get_number, set_number, NULL, (void *)LEFT}, {"_dright", get_number, set_number, NULL, (void *)RIGHT},
    {"_data", get_number, set_number, NULL, (void *)DATA}, {"_grad", get_number, set_number, NULL, (void *)GRAD},
    {"_notes", get_notes, set_notes, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL},
};
static PyMemberDef cell_objects[] = {
    {"_row", T_OBJECT, offsetof(Cell, row), 0, NULL}, {"_left", T_OBJECT, offsetof(Cell, left), 0, NULL},
    {"_right", T_OBJECT, offsetof(Cell, right), 0, NULL}, {NULL, 0, 0, 0, NULL},
};

/* -- recording ---------------------------------------------------------------------------------------------------- */

/* A new node, which takes over the references to its operands and to what its partials hold. */
static inline Cell *new_node(PyObject *row, double data, PyObject *left, int left_kind, Number dleft, PyObject *right,
                             int right_kind, Number dright) {
    Cell *node = spare; /* the collector does not track it */
    if (node) spare = node->in.next, spares--, PyObject_Init((PyObject *)node, value_type);
    else node = PyObject_GC_New(Cell, value_type);
    if (node == NULL) return Py_XDECREF(left), Py_XDECREF(right), drop(dleft, left_kind), drop(dright, right_kind), NULL;
    node->row = Py_NewRef(row), node->left = left, node->right = right, node->notes = NULL;
    node->of[LEFT] = dleft, node->of[RIGHT] = dright, node->of[DATA].number = data;
    node->kind[LEFT] = (unsigned char)left_kind, node->kind[RIGHT] = (unsigned char)right_kind;
    node->kind[DATA] = NUMBER, node->kind[GRAD] = ABSENT, node->in.walk = 0;
    return node;
}

/* Put a new node into the scope of now, or into one of its own inside, and show it to the observers. */
static inline PyObject *recorded(Cell *node, PyObject *name) {
    PyTypeObject *scope_type = (PyTypeObject *)known[SCOPE];
    PyObject *now, *scope, *observe, *answer, *own = NULL;
    if (node == NULL || PyContextVar_Get(known[RECORDING], NULL, &now) < 0) return Py_XDECREF(node), NULL;
    if (name && (own = scope_type->tp_alloc(scope_type, 0)) == NULL) return Py_DECREF(now), Py_DECREF(node), NULL;
    scope = SLOT(now, NOW_SCOPE), observe = SLOT(now, NOW_OBSERVE); /* read now: a collection may have left a scope */
    if (own) {
        SLOT(own, SCOPE_NAME) = Py_NewRef(name), SLOT(own, SCOPE_PARENT) = Py_NewRef(scope);
        SLOT(own, SCOPE_SITE) = Py_NewRef(Py_None), node->notes = own;
    } else if (scope != Py_None) node->notes = Py_NewRef(scope);
    if (observe != Py_None) {
        answer = PyObject_CallOneArg(Py_NewRef(observe), (PyObject *)node);
        Py_DECREF(observe);
        if (answer) Py_DECREF(answer);
        else Py_CLEAR(node);
    }
    return Py_DECREF(now), (PyObject *)node;
}

static PyObject *record(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record` */
    Number data, dleft, dright;
    if (n != 6) return PyErr_SetString(PyExc_TypeError, "record() takes 6 arguments"), NULL;
    int kind = kind_of(args[1], &data), left_kind = kind_of(args[4], &dleft), right_kind = kind_of(args[5], &dright);
    PyObject *left = Py_NewRef(args[2]), *right = Py_NewRef(args[3]);
    Cell *node = new_node(args[0], 0.0, left, left_kind, dleft, right, right_kind, dright);
    if (node) node->of[DATA] = data, node->kind[DATA] = (unsigned char)kind;
    else drop(data, kind);
    return recorded(node, NULL);
}

static PyObject *by_twin(int row, PyObject *a, PyObject *b) { /* the operator in Python */
    int is_reflected = !PyObject_TypeCheck(a, value_type) || (b && IS_VALUE(b) && !IS_VALUE(a));
    return PyObject_CallFunctionObjArgs(known[OPERATORS + 2 * row + is_reflected], is_reflected ? b : a, is_reflected ? a : b, NULL);
}

static inline int number_of(PyObject *x, double *number) { /* whether it is a `Value` or a float, and no `FLAT` */
    if (IS_VALUE(x)) return *number = DATA_OF(x), CELL(x)->kind[DATA] == NUMBER;
    return PyFloat_CheckExact(x) ? (*number = PyFloat_AS_DOUBLE(x), 1) : 0;
}

static inline PyObject *operand(PyObject *x, double *number) { /* to keep, with its number; NULL if Python must decide */
    if (number_of(x, number)) return Py_NewRef(x);
    if (!PyLong_CheckExact(x)) return NULL;
    *number = PyLong_AsDouble(x);
    if (*number != -1.0 || !PyErr_Occurred()) return PyFloat_FromDouble(*number);
    return PyErr_Clear(), NULL; /* beyond the range of floats */
}

static inline PyObject *operate(int row, PyObject *a, PyObject *b) { /* `Cell.__add__` and its relatives */
    double x, y, data = 0.0;
    Number dleft = one, dright = one;
    PyObject *left = operand(a, &x), *right = left ? operand(b, &y) : NULL;
    if (right == NULL || (row == DIV && y == 0.0)) {
        Py_XDECREF(left), Py_XDECREF(right);
        return PyErr_Occurred() ? NULL : by_twin(row, a, b);
    }
    if (row == ADD) data = x + y;
    if (row == SUB) data = x - y, dright = minus_one;
    if (row == MUL) data = x * y, dleft.number = y, dright.number = x;
    if (row == DIV) data = x / y, dleft.number = 1.0 / y, dright.number = -(data / y);
    int left_kind = IS_VALUE(a) ? NUMBER : ABSENT, right_kind = IS_VALUE(b) ? NUMBER : ABSENT;
    return recorded(new_node(known[row], data, left, left_kind, dleft, right, right_kind, dright), NULL);
}

static PyObject *cell_add(PyObject *a, PyObject *b) { return operate(ADD, a, b); }
static PyObject *cell_sub(PyObject *a, PyObject *b) { return operate(SUB, a, b); }
static PyObject *cell_mul(PyObject *a, PyObject *b) { return operate(MUL, a, b); }
static PyObject *cell_div(PyObject *a, PyObject *b) { return operate(DIV, a, b); }

static PyObject *cell_neg(PyObject *a) { /* `Cell.__neg__` */
    if (!IS_VALUE(a) || CELL(a)->kind[DATA] != NUMBER) return by_twin(NEG, a, NULL);
    return recorded(new_node(known[NEG], -DATA_OF(a), Py_NewRef(a), NUMBER, minus_one, NULL, ABSENT, none), NULL);
}

static PyObject *cell_pow(PyObject *a, PyObject *b, PyObject *modulus) { /* `Cell.__pow__`: a square */
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    int is_two = (PyFloat_CheckExact(b) && PyFloat_AS_DOUBLE(b) == 2.0) || (PyLong_CheckExact(b) && PyLong_AsLong(b) == 2);
    PyErr_Clear(); /* it is far beyond 2 */
    if (!is_two || !IS_VALUE(a) || CELL(a)->kind[DATA] != NUMBER) return by_twin(POW, a, b);
    double x = DATA_OF(a);
    Number slope = {2.0 * x};
    return recorded(new_node(known[POW], x * x, Py_NewRef(a), NUMBER, slope, Py_NewRef(known[TWO]), ABSENT, none), NULL);
}

static PyObject *record_relu(PyObject *module, PyObject *x) { /* `cell.record_relu`: where(x <= 0.0, 0.0, x) */
    if (!IS_VALUE(x) || CELL(x)->kind[DATA] == ABSENT)
        return PyErr_SetString(PyExc_TypeError, "record_relu() takes a Value"), NULL;
    double data = CELL(x)->kind[DATA] == NUMBER ? DATA_OF(x) : 0.0;
    int is_zero = data <= 0.0;
    PyObject *operands = Py_BuildValue("(ddO)", (double)is_zero, 0.0, x);
    if (operands == NULL) return NULL;
    PyObject *taken = Py_NewRef(PyTuple_GET_ITEM(operands, is_zero ? 1 : 2));
    return recorded(new_node(known[WHERE], is_zero ? 0.0 : data, taken, is_zero ? ABSENT : NUMBER, is_zero ? none : one,
                             operands, ABSENT, none), known[RELU]);
}

/* The rows "dot" and "sum" of a tuple of `Value`s and floats, which it takes over, with a block of partials. Anything
   else goes to the twin. */
static PyObject *record_many(int row, PyObject *operands, PyObject *xs, PyObject *ys) {
    Py_ssize_t n = operands ? PyTuple_GET_SIZE(operands) : 0, half = row == DOT ? n / 2 : 0, i = 0, nodes = 0;
    Number dleft = {.block = operands ? PyMem_Malloc(sizeof(Block) + n * sizeof(double)) : NULL}, dright = none;
    if (dleft.block == NULL) return Py_XDECREF(operands), PyErr_NoMemory();
    PyObject **x = &PyTuple_GET_ITEM(operands, 0);
    double *at = dleft.block->at, total, swap; /* first the numbers, then the partials */
    for (dleft.block->count = n; i < n && number_of(x[i], &at[i]); i++) nodes += IS_VALUE(x[i]);
    if (nodes == 0 || i < n) {
        Py_DECREF(operands), PyMem_Free(dleft.block);
        return PyObject_CallFunctionObjArgs(known[row == DOT ? DOT_TWIN : SUM_TWIN], xs, ys, NULL);
    }
    for (total = half ? -0.0 : at[0], i = half ? 0 : 1; i < (half ? half : n); i++) /* -0.0 changes no number */
        total += half ? at[i] * at[half + i] : at[i];
    for (i = 0; i < half; i++) swap = at[i], at[i] = at[half + i], at[half + i] = swap;
    for (i = 0; half == 0 && i < n; i++) at[i] = 1.0;
    if (n > 2) return recorded(new_node(known[row], total, operands, BLOCK, dleft, NULL, ABSENT, none), NULL);
    PyObject *left = Py_NewRef(x[0]), *right = n == 2 ? Py_NewRef(x[1]) : NULL; /* one or two stand in the pair */
    Block *block = dleft.block;
    dleft.number = block->at[0], dright.number = block->at[n - 1];
    Py_DECREF(operands), PyMem_Free(block);
    return recorded(new_node(known[row], total, left, IS_VALUE(left) ? NUMBER : ABSENT, dleft,
                             right, right && IS_VALUE(right) ? NUMBER : ABSENT, dright), NULL);
}

#define IS_LIST(x) (PyList_CheckExact(x) || PyTuple_CheckExact(x))
static PyObject *record_sum(PyObject *module, PyObject *xs) { /* `cell.record_sum` */
    if (!IS_LIST(xs)) Py_RETURN_NONE;
    return record_many(SUM, PySequence_Tuple(xs), xs, NULL);
}

static PyObject *record_dot(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record_dot` */
    if (n != 2 || !IS_LIST(args[0]) || !IS_LIST(args[1]) || Py_SIZE(args[0]) != Py_SIZE(args[1])) Py_RETURN_NONE;
    PyObject *xs = PySequence_Tuple(args[0]), *ys = xs ? PySequence_Tuple(args[1]) : NULL;
    PyObject *operands = ys ? PySequence_Concat(xs, ys) : NULL;
    Py_XDECREF(xs), Py_XDECREF(ys);
    return record_many(DOT, operands, args[0], args[1]);
}

/* -- the order and the sweep -------------------------------------------------------------------------------------- */

/* Signals are handled, and other threads run, in `rest` alone. They may walk through the same nodes and mark them, so
   this walk then marks its nodes again. */
typedef struct {
    Cell **nodes, **path; /* operands before results; nodes that wait for an operand, each with its place to look next */
    double *adjoints;
    char *is_reached; /* whether an adjoint has arrived */
    Py_ssize_t count, room, depth, path_room;
    unsigned long long walk;
} Order;
enum { FAILED = -1, UNUSUAL, DONE };
#define STRIDE 65536             /* nodes between two rests: a few milliseconds */

static int rest(Order *order) {
    if (PyErr_CheckSignals() < 0) return FAILED;
    if (order->walk == walks) return DONE;
    order->walk = ++walks;
    for (Py_ssize_t i = 0; i < order->depth; i++) order->path[i]->place = 0; /* what was found there is skipped */
    for (Py_ssize_t i = 0; i < order->count; i++)
        order->nodes[i]->in.walk = order->walk, order->nodes[i]->place = (unsigned int)i;
    return DONE;
}

static int append(Order *order, Cell ***array, Py_ssize_t *count, Py_ssize_t *room, Cell *node) {
    if (*count == *room) {
        Py_ssize_t more = *room ? 2 * *room : 64;
        Cell **bigger = more <= UINT_MAX ? PyMem_Realloc(*array, more * sizeof(Cell *)) : NULL;
        if (bigger == NULL) return PyErr_NoMemory(), FAILED;
        *array = bigger, *room = more;
    }
    (*array)[(*count)++] = node;
    return *count % STRIDE ? DONE : rest(order);
}

static int enter(Order *order, Cell *node) { /* the path */
    node->place = 0;
    return append(order, &order->path, &order->depth, &order->path_room, node);
}

static int settle(Order *order, Cell *node) { /* in the order */
    node->in.walk = order->walk, node->place = (unsigned int)order->count;
    return append(order, &order->nodes, &order->count, &order->room, node);
}

/* Edge i of a node: the operand, with the partial; NULL if there is none, the node itself if Python must decide. */
static inline int edge(Cell *node, Py_ssize_t i, Cell **operand, double *partial) { /* whether there can be one */
    PyObject *x = i ? node->right : node->left, *many;
    int kind = node->kind[LEFT];
    if (kind < OBJECT) {
        if (i > 1) return 0;
        kind = node->kind[i], *partial = node->of[i].number;
    } else {
        many = node->left && PyTuple_CheckExact(node->left) ? node->left : NULL;
        if (many && i >= PyTuple_GET_SIZE(many)) return 0;
        x = many ? PyTuple_GET_ITEM(many, i) : NULL;
        if (kind == BLOCK && x && i < node->of[LEFT].block->count)
            kind = IS_VALUE(x) ? NUMBER : ABSENT, *partial = node->of[LEFT].block->at[i];
        many = kind == OBJECT ? node->of[LEFT].object : NULL;
        many = many && PyTuple_CheckExact(many) && i < PyTuple_GET_SIZE(many) ? PyTuple_GET_ITEM(many, i) : NULL;
        if (many == known[ZERO]) kind = ABSENT;
        if (many && PyFloat_CheckExact(many)) kind = NUMBER, *partial = PyFloat_AS_DOUBLE(many);
    }
    *operand = kind == ABSENT ? NULL : kind == NUMBER && x && IS_VALUE(x) ? CELL(x) : node;
    return 1;
}

static int walk_behind(Order *order, Cell *root) { /* `sweep.order_of_pairs`: depth first, one operand at a time */
    int outcome = root->in.walk == order->walk ? DONE : enter(order, root);
    double partial;
    while (outcome == DONE && order->depth) {
        Cell *node = order->path[order->depth - 1], *operand, *next = NULL;
        while (next == NULL && edge(node, node->place++, &operand, &partial))
            if (operand && operand->in.walk != order->walk) next = operand;
        if (next == node) outcome = UNUSUAL;
        else if (next) outcome = enter(order, next);
        else order->depth--, outcome = settle(order, node);
    }
    return outcome;
}

static int prepare(Order *order) {
    PyMem_Free(order->path), order->path = NULL;
    order->adjoints = PyMem_Malloc(order->count * sizeof(double));
    order->is_reached = PyMem_Calloc(order->count, 1);
    return order->adjoints && order->is_reached ? DONE : (PyErr_NoMemory(), FAILED);
}

static int sweep(Order *order, Py_ssize_t end) { /* `sweep.sweep`: the chain rule, from the last node down to the end */
    double partial;
    Cell *operand;
    for (Py_ssize_t i = order->count; i-- > end;) {
        if (i % STRIDE == 0 && rest(order) < 0) return FAILED;
        for (Py_ssize_t j = 0; order->is_reached[i] && edge(order->nodes[i], j, &operand, &partial); j++) {
            if (operand == NULL) continue;
            if (operand == order->nodes[i] || operand->in.walk != order->walk) return UNUSUAL;
            double *adjoint = &order->adjoints[operand->place], contribution = order->adjoints[i] * partial;
            *adjoint = order->is_reached[operand->place] ? *adjoint + contribution : contribution;
            order->is_reached[operand->place] = 1;
        }
    }
    return DONE;
}

static PyObject *answer(Order *order, int outcome) { /* whether it was done */
    PyMem_Free(order->nodes), PyMem_Free(order->path), PyMem_Free(order->adjoints), PyMem_Free(order->is_reached);
    return outcome == FAILED ? NULL : PyBool_FromLong(outcome == DONE);
}

static PyObject *accumulate(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `sweep.accumulate` */
    Order order = {.walk = ++walks};
    int outcome = n == 2 && IS_VALUE(args[0]) && PyFloat_CheckExact(args[1]) ? DONE : UNUSUAL;
    if (outcome == DONE) outcome = walk_behind(&order, CELL(args[0]));
    if (outcome == DONE && (outcome = prepare(&order)) == DONE) {
        order.adjoints[order.count - 1] = PyFloat_AS_DOUBLE(args[1]);
        order.is_reached[order.count - 1] = 1;
        outcome = sweep(&order, 0);
    }
    for (Py_ssize_t i = 0; outcome == DONE && i < order.count; i++) {
        Cell *node = order.nodes[i];
        int is_leaf = node->row == NULL || node->row == Py_None;
        double before = is_leaf && node->kind[GRAD] == NUMBER ? node->of[GRAD].number : -0.0;
        drop(node->of[GRAD], node->kind[GRAD]);
        node->of[GRAD].number = before + order.adjoints[i], node->kind[GRAD] = NUMBER;
    }
    return answer(&order, outcome);
}

/* `sweep.order_of_pairs` without a seed, `sweep.propagate` with one: on a dict of Python's, from nodes to adjoints. */
static PyObject *over_dict(Cell *root, PyObject *seed, PyObject *found, Py_ssize_t end) {
    Order order = {.walk = ++walks};
    PyObject *node, *adjoint;
    int outcome = PyDict_CheckExact(found) && IS_VALUE(root) ? DONE : UNUSUAL;
    for (Py_ssize_t at = 0; outcome == DONE && PyDict_Next(found, &at, &node, &adjoint);) {
        int is_usual = IS_VALUE(node) && (adjoint == known[ZERO] || PyFloat_CheckExact(adjoint));
        outcome = is_usual ? settle(&order, CELL(node)) : UNUSUAL;
    }
    Py_ssize_t i = order.count;
    if (outcome == DONE) outcome = walk_behind(&order, root);
    if (seed == NULL) {
        for (; outcome == DONE && i < order.count; i++)
            outcome = PyDict_SetItem(found, (PyObject *)order.nodes[i], known[ZERO]) < 0 ? FAILED : DONE;
        return answer(&order, outcome);
    }
    if (outcome == DONE) outcome = prepare(&order);
    Number number;
    for (Py_ssize_t at = i = 0; outcome == DONE && i < order.count && PyDict_Next(found, &at, &node, &adjoint); i++) {
        order.is_reached[i] = kind_of(order.nodes[i] == root ? seed : adjoint, &number) == NUMBER;
        order.adjoints[i] = number.number;
    }
    if (outcome == DONE) outcome = sweep(&order, end);
    for (i = 0; outcome == DONE && i < order.count; i++) {
        adjoint = order.is_reached[i] ? PyFloat_FromDouble(order.adjoints[i]) : Py_NewRef(known[ZERO]);
        if (adjoint == NULL || PyDict_SetItem(found, (PyObject *)order.nodes[i], adjoint) < 0) outcome = FAILED;
        Py_XDECREF(adjoint);
    }
    return answer(&order, outcome);
}

static PyObject *order_of_pairs(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    return n == 2 ? over_dict(CELL(args[0]), NULL, args[1], 0) : PyErr_Format(PyExc_TypeError, "it takes 2 arguments");
}

static PyObject *propagate(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    if (n != 4 || !(args[1] == known[ZERO] || PyFloat_CheckExact(args[1]))) Py_RETURN_FALSE;
    return over_dict(CELL(args[0]), args[1], args[2], PyLong_AsSsize_t(args[3]));
}

/* -- the module --------------------------------------------------------------------------------------------------- */

static PyNumberMethods cell_operators = {.nb_add = cell_add, .nb_subtract = cell_sub, .nb_multiply = cell_mul,
    .nb_true_divide = cell_div, .nb_power = cell_pow, .nb_negative = cell_neg};
static PyTypeObject cell_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "autograd_mini.core._native.Cell", .tp_basicsize = sizeof(Cell),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, .tp_dealloc = cell_dealloc,
    .tp_traverse = cell_traverse, .tp_getset = cell_numbers, .tp_members = cell_objects,
    .tp_as_number = &cell_operators, .tp_doc = "The fields of a `Value`, and its arithmetic, as `cell.Cell`."};

static PyObject *adopt(PyObject *module, PyObject *objects) { /* `cell.adopt` */
    for (int i = 0; i < KNOWN; i++) known[i] = Py_NewRef(PyTuple_GET_ITEM(objects, i));
    for (int i = SLOTS; i < KNOWN; i++) slots[i - SLOTS] = ((PyMemberDescrObject *)known[i])->d_member->offset;
    value_type = (PyTypeObject *)known[VALUE];
    value_type->tp_dealloc = cell_dealloc; /* the one for classes of Python takes as long as all else about a node */
    Py_RETURN_NONE;
}

#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}
static PyMethodDef functions[] = {
    FAST(accumulate), FAST(order_of_pairs), FAST(propagate), FAST(record), FAST(record_dot),
    {"adopt", adopt, METH_O, NULL}, {"record_relu", record_relu, METH_O, NULL},
    {"record_sum", record_sum, METH_O, NULL}, {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) /* what it remembers is one interpreter's */
        return PyErr_SetString(PyExc_ImportError, "the C text runs in the main interpreter only"), -1;
    if (PyModule_AddIntConstant(module, "SOURCE_DIGEST", SOURCE_DIGEST) < 0) return -1; /* `accelerator` compares it */
    cell_type.tp_new = PyBaseObject_Type.tp_new; /* so that `object.__new__` makes nodes */
    return PyType_Ready(&cell_type) < 0 ? -1 : PyModule_AddObjectRef(module, "Cell", (PyObject *)&cell_type);
}

static PyModuleDef_Slot phases[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_native", .m_doc = "The inner loop in C; see `autograd_mini.core.cell`.",
    .m_methods = functions, .m_slots = phases};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
