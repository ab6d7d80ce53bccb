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
   of doubles, one for each operand. */
enum { ABSENT, NUMBER, OBJECT, BLOCK };
typedef struct { Py_ssize_t count; double at[]; } Block;
typedef union { double number; PyObject *object; Block *block; } Number;

/* The fields of `cell.SLOTS`. A walk marks the nodes that it meets with a number of its own, and never has to clear it:
   no state of a sweep is left in a node. */
enum { LEFT, RIGHT, DATA, GRAD, NUMBERS };
typedef struct Cell {
    PyObject_HEAD
    PyObject *row, *left, *right, *notes; /* NULL for None */
    Number of[NUMBERS];                   /* both partials, the data and the gradient */
    unsigned char kind[NUMBERS];
    unsigned int place; /* in the order of the last walk that met this node */
    union { unsigned long long walk; struct Cell *next; } in; /* that walk; in a node to be freed, the next one */
} Cell;

enum { ADD, SUB, MUL, DIV, POW, NEG, DOT, SUM, WHERE, ROWS };
static PyObject *rows[ROWS], *operators[NEG + 1][2];   /* of the table; of `cell.Cell`, with their reflections */
static PyTypeObject *value_type, *scope_type;          /* the class of the nodes that are made here, and `Scope` */
static PyObject *recording, *zero, *flat, *python_apply, *two, *relu, *function_, *rule_, *curvature_;
static Py_ssize_t slots[5];                            /* where Python keeps the slots below */
enum { NOW_SCOPE, NOW_OBSERVE, SCOPE_NAME, SCOPE_PARENT, SCOPE_SITE };

#define SLOT(object, which) (*(PyObject **)((char *)(object) + slots[which]))
#define FIELD(self, offset) (*(PyObject **)((char *)(self) + (Py_ssize_t)(offset)))
#define CELL(x) ((Cell *)(x))
#define IS_VALUE(x) (Py_TYPE(x) == value_type)
#define DATA_OF(x) (CELL(x)->of[DATA].number)

static void drop(Number number, int kind) {
    if (kind == OBJECT) Py_DECREF(number.object);
    if (kind == BLOCK) PyMem_Free(number.block);
}

static Cell *dying; /* nodes to be freed: a graph may be a million nodes deep, so this does not recurse */
static int is_freeing;

static void cell_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    CELL(self)->in.next = dying, dying = CELL(self);
    if (is_freeing) return;
    is_freeing = 1;
    for (Cell *node; (node = dying) != NULL;) {
        PyTypeObject *type = Py_TYPE(node);
        dying = node->in.next;
        Py_XDECREF(node->left), Py_XDECREF(node->right), Py_XDECREF(node->notes), Py_XDECREF(node->row);
        for (int i = 0; i < NUMBERS; i++) drop(node->of[i], node->kind[i]);
        type->tp_free(node);
        Py_DECREF(type);
    }
    is_freeing = 0;
}

static int cell_traverse(PyObject *self, visitproc visit, void *arg) {
    Cell *node = CELL(self);
    PyObject *objects[4] = {node->row, node->left, node->right, node->notes};
    for (int i = 0; i < 4; i++) Py_VISIT(objects[i]);
    for (int i = 0; i < NUMBERS; i++)
        if (node->kind[i] == OBJECT) Py_VISIT(node->of[i].object);
    return 0;
}

static int cell_clear(PyObject *self) { /* every cycle leads through notes, or through what a subclass adds */
    Py_CLEAR(CELL(self)->notes);
    return 0;
}

static PyObject *get_object(PyObject *self, void *offset) {
    return Py_NewRef(FIELD(self, offset) ? FIELD(self, offset) : Py_None);
}

static int set_object(PyObject *self, PyObject *object, void *offset) {
    PyObject *before = FIELD(self, offset);
    FIELD(self, offset) = object == Py_None ? NULL : Py_XNewRef(object);
    /* The collector tracks only nodes with `Notes`: others refer to older nodes alone, and are in no cycle. */
    int is_noted = (Py_ssize_t)offset == offsetof(Cell, notes) && FIELD(self, offset) && Py_TYPE(object) != scope_type;
    if (is_noted && !PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
    return Py_XDECREF(before), 0;
}

static int kind_of(PyObject *given, Number *number) { /* and the number, without its box */
    number->number = 0.0;
    if (given == NULL || given == zero || given == Py_None) return ABSENT;
    if (PyFloat_CheckExact(given)) return number->number = PyFloat_AS_DOUBLE(given), NUMBER;
    return number->object = Py_NewRef(given), OBJECT;
}

static PyObject *get_number(PyObject *self, void *which) {
    Py_ssize_t at = (Py_ssize_t)which;
    Number number = CELL(self)->of[at];
    int kind = CELL(self)->kind[at];
    if (kind == NUMBER) return PyFloat_FromDouble(number.number);
    if (kind != BLOCK) return Py_NewRef(kind == OBJECT ? number.object : at < DATA ? zero : Py_None);
    PyObject *numbers = PyTuple_New(number.block->count), *one;
    for (Py_ssize_t i = 0; numbers && i < number.block->count; i++)
        if ((one = PyFloat_FromDouble(number.block->at[i]))) PyTuple_SET_ITEM(numbers, i, one);
        else Py_CLEAR(numbers);
    return numbers;
}

static int set_number(PyObject *self, PyObject *given, void *which) {
    Number before = CELL(self)->of[(Py_ssize_t)which];
    int kind = CELL(self)->kind[(Py_ssize_t)which];
    CELL(self)->kind[(Py_ssize_t)which] = (unsigned char)kind_of(given, &CELL(self)->of[(Py_ssize_t)which]);
    return drop(before, kind), 0;
}

static PyGetSetDef cell_fields[] = {
    {"_dleft", get_number, set_number, NULL, (void *)LEFT}, {"_dright", get_number, set_number, NULL, (void *)RIGHT},
    {"_data", get_number, set_number, NULL, (void *)DATA},  {"_grad", get_number, set_number, NULL, (void *)GRAD},
    {"_left", get_object, set_object, NULL, (void *)offsetof(Cell, left)},
    {"_right", get_object, set_object, NULL, (void *)offsetof(Cell, right)},
    {"_notes", get_object, set_object, NULL, (void *)offsetof(Cell, notes)},
    {"_row", get_object, set_object, NULL, (void *)offsetof(Cell, row)}, {NULL, NULL, NULL, NULL, NULL},
};

/* -- recording ---------------------------------------------------------------------------------------------------- */

/* A new node, which takes over the references to its operands and to what its partials hold. */
static inline Cell *new_node(PyObject *row, double data, PyObject *left, int left_kind, Number dleft, PyObject *right,
                             int right_kind, Number dright) {
    Cell *node = PyObject_GC_New(Cell, value_type); /* the collector does not track it */
    if (node == NULL) return Py_XDECREF(left), Py_XDECREF(right), drop(dleft, left_kind), drop(dright, right_kind), NULL;
    node->row = Py_NewRef(row), node->left = left, node->right = right, node->notes = NULL;
    node->of[LEFT] = dleft, node->of[RIGHT] = dright, node->of[DATA].number = data;
    node->kind[LEFT] = (unsigned char)left_kind, node->kind[RIGHT] = (unsigned char)right_kind;
    node->kind[DATA] = NUMBER, node->kind[GRAD] = ABSENT, node->in.walk = 0;
    return node;
}

/* Put a new node into the scope of now, or into one of its own inside, and show it to the observers. */
static inline PyObject *recorded(Cell *node, PyObject *name) {
    PyObject *now, *scope, *observe, *answer;
    if (node == NULL || PyContextVar_Get(recording, NULL, &now) < 0) return Py_XDECREF(node), NULL;
    scope = SLOT(now, NOW_SCOPE), observe = SLOT(now, NOW_OBSERVE);
    if (name) {
        if ((node->notes = scope_type->tp_alloc(scope_type, 0)) == NULL) return Py_DECREF(now), Py_DECREF(node), NULL;
        SLOT(node->notes, SCOPE_NAME) = Py_NewRef(name), SLOT(node->notes, SCOPE_PARENT) = Py_NewRef(scope);
        SLOT(node->notes, SCOPE_SITE) = Py_NewRef(Py_None);
    } else if (scope != Py_None) node->notes = Py_NewRef(scope);
    if (observe != Py_None) {
        Py_INCREF(observe);
        answer = PyObject_CallOneArg(observe, (PyObject *)node);
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
    PyObject *right = args[3] == Py_None ? NULL : Py_NewRef(args[3]);
    Cell *node = new_node(args[0], 0.0, Py_NewRef(args[2]), left_kind, dleft, right, right_kind, dright);
    if (node) node->of[DATA] = data, node->kind[DATA] = (unsigned char)kind;
    return recorded(node, NULL);
}

static PyObject *by_twin(int row, PyObject *a, PyObject *b) { /* Python's operator */
    int is_reflected = !PyObject_TypeCheck(a, value_type);
    return PyObject_CallFunctionObjArgs(operators[row][is_reflected], is_reflected ? b : a, is_reflected ? a : b, NULL);
}

static inline PyObject *operand(PyObject *x, double *number) { /* to keep, with its number; NULL if Python must decide */
    if (IS_VALUE(x)) return *number = DATA_OF(x), CELL(x)->kind[DATA] == NUMBER ? Py_NewRef(x) : NULL;
    if (PyFloat_CheckExact(x)) return *number = PyFloat_AS_DOUBLE(x), Py_NewRef(x);
    if (!PyLong_CheckExact(x)) return NULL;
    *number = PyLong_AsDouble(x);
    if (*number != -1.0 || !PyErr_Occurred()) return PyFloat_FromDouble(*number);
    return PyErr_Clear(), NULL; /* beyond the range of floats */
}

static inline PyObject *operate(int row, PyObject *a, PyObject *b) { /* `Cell.__add__` and its relatives */
    double x, y, data = 0.0;
    Number dleft = {1.0}, dright = {1.0};
    PyObject *left = operand(a, &x), *right = left ? operand(b, &y) : NULL;
    if (right == NULL || (row == DIV && y == 0.0)) {
        Py_XDECREF(left), Py_XDECREF(right);
        return PyErr_Occurred() ? NULL : by_twin(row, a, b);
    }
    if (row == ADD) data = x + y;
    if (row == SUB) data = x - y, dright.number = -1.0;
    if (row == MUL) data = x * y, dleft.number = y, dright.number = x;
    if (row == DIV) data = x / y, dleft.number = 1.0 / y, dright.number = -(data / y);
    return recorded(new_node(rows[row], data, left, IS_VALUE(a) ? NUMBER : ABSENT, dleft,
                             right, IS_VALUE(b) ? NUMBER : ABSENT, dright), NULL);
}

static PyObject *cell_add(PyObject *a, PyObject *b) { return operate(ADD, a, b); }
static PyObject *cell_sub(PyObject *a, PyObject *b) { return operate(SUB, a, b); }
static PyObject *cell_mul(PyObject *a, PyObject *b) { return operate(MUL, a, b); }
static PyObject *cell_div(PyObject *a, PyObject *b) { return operate(DIV, a, b); }

static PyObject *cell_neg(PyObject *a) { /* `Cell.__neg__` */
    if (!IS_VALUE(a) || CELL(a)->kind[DATA] != NUMBER) return by_twin(NEG, a, NULL);
    return recorded(new_node(rows[NEG], -DATA_OF(a), Py_NewRef(a), NUMBER, (Number){-1.0}, NULL, ABSENT, (Number){0.0}),
                    NULL);
}

static PyObject *cell_pow(PyObject *a, PyObject *b, PyObject *modulus) { /* `Cell.__pow__`: a square */
    double x, y;
    PyObject *base = IS_VALUE(a) && !IS_VALUE(b) ? operand(a, &x) : NULL, *exponent = base ? operand(b, &y) : NULL;
    int is_square = exponent && y == 2.0 && modulus == Py_None;
    Py_XDECREF(exponent);
    if (is_square)
        return recorded(new_node(rows[POW], x * x, base, NUMBER, (Number){2.0 * x}, Py_NewRef(two), ABSENT,
                                 (Number){0.0}), NULL);
    Py_XDECREF(base);
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    return PyErr_Occurred() ? NULL : by_twin(POW, a, b);
}

static PyObject *record_relu(PyObject *module, PyObject *x) { /* `cell.record_relu`: where(x <= 0.0, 0.0, x) */
    if (!IS_VALUE(x)) return PyErr_SetString(PyExc_TypeError, "record_relu() takes a Value"), NULL;
    double data = CELL(x)->kind[DATA] == NUMBER ? DATA_OF(x) : 0.0;
    int is_zero = data <= 0.0;
    PyObject *operands = Py_BuildValue("(ddO)", (double)is_zero, 0.0, x), *taken;
    if (operands == NULL) return NULL;
    taken = PyTuple_GET_ITEM(operands, is_zero ? 1 : 2);
    return recorded(new_node(rows[WHERE], is_zero ? 0.0 : data, Py_NewRef(taken), is_zero ? ABSENT : NUMBER,
                             (Number){1.0}, operands, ABSENT, (Number){0.0}), relu);
}

/* The rows "dot" and "sum" of `Value`s alone: a tuple of operands, a block of partials. None for anything else. */
static PyObject *record_many(int row, PyObject *xs, PyObject *ys) {
    int is_dot = row == DOT, is_plain = 1;
    if (!(PyList_Check(xs) || PyTuple_Check(xs)) || !(PyList_Check(ys) || PyTuple_Check(ys)))
        return PyErr_SetString(PyExc_TypeError, "record_dot() and record_sum() take lists or tuples"), NULL;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(xs), count = is_dot ? 2 * n : n, i;
    PyObject *operands = PyTuple_New(count); /* before the lists are read: it may run the collector, and that Python */
    Block *block = operands ? PyMem_Malloc(sizeof(Block) + count * sizeof(double)) : NULL;
    if (block == NULL) return Py_XDECREF(operands), PyErr_NoMemory();
    PyObject **x = PySequence_Fast_ITEMS(xs), **y = PySequence_Fast_ITEMS(ys);
    is_plain = n > 0 && n == PySequence_Fast_GET_SIZE(xs) && n == PySequence_Fast_GET_SIZE(ys);
    for (i = 0; is_plain && i < n; i++)
        is_plain = IS_VALUE(x[i]) && IS_VALUE(y[i]) && CELL(x[i])->kind[DATA] + CELL(y[i])->kind[DATA] == 2 * NUMBER;
    if (!is_plain) return Py_DECREF(operands), PyMem_Free(block), Py_NewRef(Py_None);
    double total = is_dot ? -0.0 : DATA_OF(x[0]); /* adding -0.0 changes no number */
    for (i = is_dot ? 0 : 1; i < n; i++) total += is_dot ? DATA_OF(x[i]) * DATA_OF(y[i]) : DATA_OF(x[i]);
    for (i = 0; i < count; i++) {
        PyTuple_SET_ITEM(operands, i, Py_NewRef(i < n ? x[i] : y[i - n]));
        block->at[i] = !is_dot ? 1.0 : DATA_OF(i < n ? y[i] : x[i - n]);
    }
    block->count = count;
    Number dleft = {.block = block}, dright = {0.0};
    if (count > 2) return recorded(new_node(rows[row], total, operands, BLOCK, dleft, NULL, ABSENT, dright), NULL);
    PyObject *left = Py_NewRef(PyTuple_GET_ITEM(operands, 0)); /* one or two operands stand in the pair */
    PyObject *right = count == 2 ? Py_NewRef(PyTuple_GET_ITEM(operands, 1)) : NULL;
    if (right) dright.number = block->at[1];
    dleft.number = block->at[0];
    Py_DECREF(operands), PyMem_Free(block);
    return recorded(new_node(rows[row], total, left, NUMBER, dleft, right, right ? NUMBER : ABSENT, dright), NULL);
}

static PyObject *record_dot(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record_dot` */
    return n == 2 ? record_many(DOT, args[0], args[1]) : PyErr_Format(PyExc_TypeError, "record_dot() takes two lists");
}

static PyObject *record_sum(PyObject *module, PyObject *xs) { return record_many(SUM, xs, xs); } /* `cell.record_sum` */

static PyObject *apply(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `engine.apply`, for one operand */
    PyObject *row = args[0], *x = n == 2 && PyTuple_GET_SIZE(args[1]) == 1 ? PyTuple_GET_ITEM(args[1], 0) : NULL;
    PyObject *curvature = x && IS_VALUE(x) ? PyObject_GetAttr(row, curvature_) : NULL, *numbers[2] = {NULL, NULL};
    PyObject *function = NULL, *rule = NULL, *partials = NULL, *partial = NULL, *node = NULL;
    int is_usual = curvature == Py_None && CELL(x)->kind[DATA] == NUMBER; /* no kink at which derivatives differ */
    if (is_usual && (numbers[1] = PyFloat_FromDouble(DATA_OF(x))) && (function = PyObject_GetAttr(row, function_)) &&
        (numbers[0] = PyObject_CallOneArg(function, numbers[1])) && (rule = PyObject_GetAttr(row, rule_))) {
        if (PyFloat_CheckExact(numbers[0])) partials = PyObject_Vectorcall(rule, numbers, 2, NULL);
        if (partials && PyTuple_CheckExact(partials) && PyTuple_GET_SIZE(partials) == 1)
            partial = PyTuple_GET_ITEM(partials, 0);
        is_usual = partial && (partial == zero || PyFloat_CheckExact(partial));
        if (!is_usual && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception)) PyErr_Clear(); /* it comes again */
    }
    if (is_usual && partial) {
        Number dleft;
        int kind = kind_of(partial, &dleft);
        node = recorded(new_node(row, PyFloat_AS_DOUBLE(numbers[0]), Py_NewRef(x), kind, dleft, NULL, ABSENT,
                                 (Number){0.0}), NULL);
    } else if (!PyErr_Occurred()) node = PyObject_Vectorcall(python_apply, args, n, NULL);
    Py_XDECREF(numbers[0]), Py_XDECREF(numbers[1]), Py_XDECREF(curvature);
    Py_XDECREF(function), Py_XDECREF(rule), Py_XDECREF(partials);
    return node;
}

/* -- the order and the sweep -------------------------------------------------------------------------------------- */

/* Signals are handled, and other threads run, only in `checkpoint`. They may walk through the same nodes and mark them, so
   this order then marks its nodes again. */
typedef struct {
    Cell **nodes; /* operands before results */
    double *adjoints;
    char *is_reached; /* whether an adjoint has arrived */
    Py_ssize_t count, room;
    unsigned long long walk;
} Order;
typedef struct { Cell *node; Py_ssize_t next; } Step;
enum { FAILED = -1, UNUSUAL, DONE };

static unsigned long long walks; /* through graphs, ever */
#define STRIDE 65536             /* nodes between two pauses: a few milliseconds */

static int checkpoint(Order *order) {
    if (PyErr_CheckSignals() < 0) return FAILED;
    if (order->walk == walks) return DONE;
    order->walk = ++walks;
    for (Py_ssize_t i = 0; i < order->count; i++)
        order->nodes[i]->in.walk = order->walk, order->nodes[i]->place = (unsigned int)i;
    return DONE;
}

static int grow(void **array, Py_ssize_t *room, size_t size) { /* make room for twice as many */
    Py_ssize_t more = *room ? 2 * *room : 64;
    void *bigger = PyMem_Realloc(*array, more * size);
    if (bigger == NULL || more > UINT_MAX) return PyErr_NoMemory(), FAILED;
    return *array = bigger, *room = more, DONE;
}

static int append(Order *order, Cell *node) {
    if (order->count == order->room && grow((void **)&order->nodes, &order->room, sizeof(Cell *)) < 0) return FAILED;
    node->in.walk = order->walk, node->place = (unsigned int)order->count;
    order->nodes[order->count++] = node;
    return order->count % STRIDE ? DONE : checkpoint(order);
}

/* How many operands to ask `edge` for; FAILED if Python must decide, as for a `FLAT` partial. */
static inline Py_ssize_t edges(Cell *node) {
    if (node->kind[LEFT] < OBJECT) return 2;
    Py_ssize_t n = node->left && PyTuple_CheckExact(node->left) ? PyTuple_GET_SIZE(node->left) : FAILED;
    if (node->kind[LEFT] == BLOCK) return node->of[LEFT].block->count == n ? n : FAILED;
    return PyTuple_CheckExact(node->of[LEFT].object) && PyTuple_GET_SIZE(node->of[LEFT].object) == n ? n : FAILED;
}

/* The operand that an edge leads to, with the partial; NULL if there is no edge, the node itself if Python decides. */
static inline Cell *edge(Cell *node, Py_ssize_t i, double *partial) {
    PyObject *operand = i ? node->right : node->left, *number;
    if (node->kind[LEFT] < OBJECT) {
        if (node->kind[i] == ABSENT) return NULL;
        if (node->kind[i] != NUMBER) return node;
        *partial = node->of[i].number;
    } else {
        operand = PyTuple_GET_ITEM(node->left, i);
        if (node->kind[LEFT] == BLOCK) *partial = node->of[LEFT].block->at[i];
        else if ((number = PyTuple_GET_ITEM(node->of[LEFT].object, i)) == zero) return NULL;
        else if (PyFloat_CheckExact(number)) *partial = PyFloat_AS_DOUBLE(number);
        else return node;
    }
    return operand && IS_VALUE(operand) ? CELL(operand) : node;
}

static int walk_behind(Order *order, Cell *root) { /* `sweep.order_of_pairs`: depth first, an operand at a time */
    Step *path = NULL;
    Py_ssize_t depth = 0, room = 0;
    int outcome = DONE;
    double partial;
    Cell *next = root->in.walk == order->walk ? NULL : root;
    while (outcome == DONE && (next || depth)) {
        if (next) {
            if (depth == room && grow((void **)&path, &room, sizeof(Step)) < 0) outcome = FAILED;
            else path[depth++] = (Step){next, 0};
            if (depth % STRIDE == 0 && outcome == DONE) outcome = checkpoint(order);
            next = NULL;
            continue;
        }
        Step *step = &path[depth - 1];
        Py_ssize_t n = edges(step->node);
        if (n < 0) outcome = UNUSUAL;
        while (next == NULL && step->next < n && outcome == DONE) {
            Cell *operand = edge(step->node, step->next++, &partial);
            if (operand == step->node) outcome = UNUSUAL;
            else if (operand && operand->in.walk != order->walk) next = operand;
        }
        if (next == NULL && outcome == DONE) outcome = append(order, path[--depth].node);
    }
    PyMem_Free(path);
    return outcome;
}

static int prepare(Order *order) {
    order->adjoints = PyMem_Malloc(order->count * sizeof(double));
    order->is_reached = PyMem_Calloc(order->count, 1);
    return order->adjoints && order->is_reached ? DONE : (PyErr_NoMemory(), FAILED);
}

static int sweep(Order *order, Py_ssize_t end) { /* `sweep.sweep`: the chain rule, from the last node down to the end */
    double partial;
    for (Py_ssize_t i = order->count; i-- > end;) {
        Cell *node = order->nodes[i];
        if (i % STRIDE == 0 && checkpoint(order) < 0) return FAILED;
        if (!order->is_reached[i]) continue;
        for (Py_ssize_t j = 0, n = edges(node); j < n || n < 0; j++) {
            Cell *operand = n < 0 ? node : edge(node, j, &partial);
            if (operand == NULL) continue;
            if (operand == node || operand->in.walk != order->walk) return UNUSUAL;
            double *adjoint = &order->adjoints[operand->place], contribution = order->adjoints[i] * partial;
            *adjoint = order->is_reached[operand->place] ? *adjoint + contribution : contribution;
            order->is_reached[operand->place] = 1;
        }
    }
    return DONE;
}

static PyObject *answer(Order *order, int outcome) { /* whether it was done */
    PyMem_Free(order->nodes), PyMem_Free(order->adjoints), PyMem_Free(order->is_reached);
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
        double before = node->row || node->kind[GRAD] != NUMBER ? -0.0 : node->of[GRAD].number;
        drop(node->of[GRAD], node->kind[GRAD]);
        node->of[GRAD].number = before + order.adjoints[i], node->kind[GRAD] = NUMBER;
    }
    return answer(&order, outcome);
}

/* Take the nodes of a dict of Python's into an order, with their adjoints. */
static int take(Order *order, PyObject *found, int with_adjoints) {
    PyObject *node, *adjoint;
    for (Py_ssize_t at = 0; PyDict_Next(found, &at, &node, &adjoint);)
        if (!IS_VALUE(node) || (with_adjoints && adjoint != zero && !PyFloat_CheckExact(adjoint))) return UNUSUAL;
        else if (append(order, CELL(node)) < 0) return FAILED;
    if (!with_adjoints) return DONE;
    if (prepare(order) < 0) return FAILED;
    for (Py_ssize_t at = 0, i = 0; i < order->count && PyDict_Next(found, &at, &node, &adjoint); i++)
        if ((order->is_reached[i] = adjoint != zero)) order->adjoints[i] = PyFloat_AS_DOUBLE(adjoint);
    return DONE;
}

static PyObject *order_of_pairs(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `sweep.order_of_pairs` */
    Order order = {.walk = ++walks};
    int outcome = n == 2 && IS_VALUE(args[0]) && PyDict_CheckExact(args[1]) ? take(&order, args[1], 0) : UNUSUAL;
    Py_ssize_t known = order.count;
    if (outcome == DONE) outcome = walk_behind(&order, CELL(args[0]));
    for (Py_ssize_t i = known; outcome == DONE && i < order.count; i++)
        outcome = PyDict_SetItem(args[1], (PyObject *)order.nodes[i], zero) < 0 ? FAILED : DONE;
    return answer(&order, outcome);
}

static PyObject *propagate(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `sweep.propagate`, on floats */
    Order order = {.walk = ++walks};
    PyObject *root = args[0], *seed = n == 4 ? args[1] : NULL, *found = n == 4 ? args[2] : NULL;
    if (seed == NULL || !IS_VALUE(root) || !PyDict_CheckExact(found) || !(seed == zero || PyFloat_CheckExact(seed)))
        Py_RETURN_FALSE;
    Py_ssize_t end = PyLong_AsSsize_t(args[3]);
    if (PyErr_Occurred() || PyDict_SetItem(found, root, seed) < 0) return NULL;
    int outcome = take(&order, found, 1);
    if (outcome == DONE) outcome = sweep(&order, end);
    for (Py_ssize_t i = 0; outcome == DONE && i < order.count; i++) {
        PyObject *adjoint = order.is_reached[i] ? PyFloat_FromDouble(order.adjoints[i]) : NULL;
        if (order.is_reached[i] && (!adjoint || PyDict_SetItem(found, (PyObject *)order.nodes[i], adjoint) < 0))
            outcome = FAILED;
        Py_XDECREF(adjoint);
    }
    return answer(&order, outcome);
}

/* -- the module --------------------------------------------------------------------------------------------------- */

static PyNumberMethods cell_numbers = {
    .nb_add = cell_add, .nb_subtract = cell_sub, .nb_multiply = cell_mul, .nb_true_divide = cell_div,
    .nb_power = cell_pow, .nb_negative = cell_neg,
};
static PyTypeObject cell_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "autograd_mini.core._native.Cell",
    .tp_basicsize = sizeof(Cell), .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_dealloc = cell_dealloc, .tp_traverse = cell_traverse, .tp_clear = cell_clear,
    .tp_getset = cell_fields, .tp_as_number = &cell_numbers,
    .tp_doc = "The fields of a `Value`, and its arithmetic; `cell.Cell` is the same in Python.",
};

static PyObject *adopt(PyObject *module, PyObject *args) { /* `cell.adopt` */
    PyObject *kind, *apply, *scope, *table, *signs, *members, *sign = NULL;
    if (!PyArg_ParseTuple(args, "OOOOOOO!O!O!", &kind, &apply, &scope, &recording, &zero, &flat, &PyTuple_Type, &table,
                          &PyTuple_Type, &signs, &PyTuple_Type, &members)) return NULL;
    for (Py_ssize_t i = 0; i < ROWS; i++) rows[i] = Py_NewRef(PyTuple_GET_ITEM(table, i));
    for (Py_ssize_t i = 0; i <= NEG && (sign = PyTuple_GET_ITEM(signs, i)); i++)
        for (int j = 0; j < 2; j++) operators[i][j] = Py_NewRef(PyTuple_GET_ITEM(sign, j));
    for (Py_ssize_t i = 0; i < 5; i++)
        slots[i] = ((PyMemberDescrObject *)PyTuple_GET_ITEM(members, i))->d_member->offset;
    value_type = (PyTypeObject *)Py_NewRef(kind), scope_type = (PyTypeObject *)Py_NewRef(scope);
    value_type->tp_dealloc = cell_dealloc; /* the one for classes of Python takes as long as all else about a node */
    python_apply = Py_NewRef(apply), Py_INCREF(recording), Py_INCREF(zero), Py_INCREF(flat);
    two = PyFloat_FromDouble(2.0), relu = PyUnicode_InternFromString("relu");
    function_ = PyUnicode_InternFromString("function"), rule_ = PyUnicode_InternFromString("rule");
    curvature_ = PyUnicode_InternFromString("curvature");
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"accumulate", (PyCFunction)(void (*)(void))accumulate, METH_FASTCALL, "`sweep.accumulate`"},
    {"adopt", adopt, METH_VARARGS, "`cell.adopt`"},
    {"apply", (PyCFunction)(void (*)(void))apply, METH_FASTCALL, "`engine.apply`"},
    {"order_of_pairs", (PyCFunction)(void (*)(void))order_of_pairs, METH_FASTCALL, "`sweep.order_of_pairs`"},
    {"propagate", (PyCFunction)(void (*)(void))propagate, METH_FASTCALL, "`sweep.propagate`"},
    {"record", (PyCFunction)(void (*)(void))record, METH_FASTCALL, "`cell.record`"},
    {"record_dot", (PyCFunction)(void (*)(void))record_dot, METH_FASTCALL, "`cell.record_dot`"},
    {"record_relu", record_relu, METH_O, "`cell.record_relu`"},
    {"record_sum", record_sum, METH_O, "`cell.record_sum`"},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) /* what it remembers is one interpreter's */
        return PyErr_SetString(PyExc_ImportError, "the C text runs in the main interpreter only"), -1;
    cell_type.tp_new = PyBaseObject_Type.tp_new; /* so that `object.__new__` makes nodes */
    if (PyType_Ready(&cell_type) < 0) return -1;
    PyObject *slots = PyTuple_New(0);
    int outcome = slots ? PyModule_AddObjectRef(module, "SLOTS", slots) : -1;
    return Py_XDECREF(slots), outcome < 0 ? -1 : PyModule_AddObjectRef(module, "Cell", (PyObject *)&cell_type);
}

static PyModuleDef_Slot phases[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The inner loop in C; see `autograd_mini.core.cell`.", 0, functions, phases,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
