/* The inner loop in C: what a `Value` holds, how the common operations are recorded in it, the order, and the sweep.

   The Python text says what must happen, and runs where no compiler was; each function here names its twin there
   (`cell`, `sweep`, `engine`), and gives the same bits. A function that meets something unusual does nothing and leaves
   the case to its twin. There is no derivative here beyond those of + - * / neg and dot: C calls the rows' own rules. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#ifdef Py_GIL_DISABLED
#error "This text relies on the interpreter's lock; free-threaded Python runs the Python text."
#endif

/* -- a node ------------------------------------------------------------------------------------------------------- */

/* How a local partial is held: not at all (`ZERO`), as a number, as another object (`FLAT`, a tuple with a `ZERO`), or
   as one number for each operand. */
enum { NO_EDGE, NUMBER, OBJECT, NUMBERS };
typedef struct { Py_ssize_t count; double at[]; } Numbers;
typedef union { double number; PyObject *object; Numbers *numbers; } Partial;

/* The fields of `cell.SLOTS`, numbers without boxes. A walk marks the nodes that it meets with its own number, so marks
   never have to be taken back. */
typedef struct Cell {
    PyObject_HEAD
    PyObject *row, *left, *right, *notes; /* NULL for None */
    Partial dleft, dright;
    double data, grad;
    union { unsigned long long walk; struct Cell *next; } in; /* the last walk that met it; the next node to free */
    unsigned int place;                                       /* its place in the order of that walk */
    unsigned char left_kind, right_kind, grad_kind;           /* of `grad`: NO_EDGE for None, OBJECT for FLAT */
} Cell;

static PyTypeObject *value_type; /* the class of the nodes that are made here: `Value` */
static PyTypeObject *scope_type;
static PyObject *recording, *zero, *flat, *python_apply, *two, *relu_name;
static PyObject *name_function, *name_rule, *name_curvature;
static Py_ssize_t now_scope, now_observe, scope_name, scope_parent, scope_site; /* where Python's slots lie */
enum { ADD, SUB, MUL, DIV, POW, NEG, DOT, SUM, WHERE, ROWS };
static const char *const row_names[] = {"add", "sub", "mul", "div", "pow", "neg", "dot", "sum", "where"};
static PyObject *rows[ROWS], *methods[NEG + 1][2]; /* and Python's operators, each with its reflection */

#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))
#define IS_VALUE(x) (Py_TYPE(x) == value_type)
#define CELL(x) ((Cell *)(x))
#define EDGE(x) ((Partial){.number = (x)})

static void drop(Partial partial, int kind) {
    if (kind == OBJECT) Py_DECREF(partial.object);
    else if (kind == NUMBERS) PyMem_Free(partial.numbers);
}

static Cell *dying; /* nodes that wait to be freed: a graph may be a million nodes deep, so nothing recurses */
static int is_freeing;

static void cell_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    CELL(self)->in.next = dying;
    dying = CELL(self);
    if (is_freeing) return;
    is_freeing = 1;
    for (Cell *node; (node = dying) != NULL;) {
        PyTypeObject *type = Py_TYPE(node);
        dying = node->in.next;
        Py_XDECREF(node->left);
        Py_XDECREF(node->right);
        Py_XDECREF(node->notes);
        Py_XDECREF(node->row);
        drop(node->dleft, node->left_kind);
        drop(node->dright, node->right_kind);
        type->tp_free(node);
        Py_DECREF(type);
    }
    is_freeing = 0;
}

static int cell_traverse(PyObject *self, visitproc visit, void *arg) {
    Cell *node = CELL(self);
    Py_VISIT(node->row);
    Py_VISIT(node->left);
    Py_VISIT(node->right);
    Py_VISIT(node->notes);
    if (node->left_kind == OBJECT) Py_VISIT(node->dleft.object);
    if (node->right_kind == OBJECT) Py_VISIT(node->dright.object);
    return 0;
}

static int cell_clear(PyObject *self) {
    Py_CLEAR(CELL(self)->notes); /* every cycle leads through notes, or through what a subclass adds */
    return 0;
}

#define AT(field) (void *)offsetof(Cell, field)
#define IS_SECOND (void *)1

/* Read and write the fields as Python sees them; None is NULL. The collector tracks only nodes with `Notes`: others
   refer to older nodes alone, and cannot be in a cycle. */
static PyObject *get_object(PyObject *self, void *offset) {
    PyObject *object = SLOT(self, (Py_ssize_t)offset);
    return Py_NewRef(object ? object : Py_None);
}

static int set_object(PyObject *self, PyObject *object, void *offset) {
    PyObject *before = SLOT(self, (Py_ssize_t)offset);
    SLOT(self, (Py_ssize_t)offset) = object == NULL || object == Py_None ? NULL : Py_NewRef(object);
    if ((Py_ssize_t)offset == offsetof(Cell, notes) && CELL(self)->notes && Py_TYPE(object) != scope_type &&
        !PyObject_GC_IsTracked(self))
        PyObject_GC_Track(self);
    Py_XDECREF(before);
    return 0;
}

static int partial_of(PyObject *given, Partial *partial) { /* the kind, or -1 */
    if (given == NULL || given == zero) return NO_EDGE;
    if (PyFloat_CheckExact(given)) return *partial = EDGE(PyFloat_AS_DOUBLE(given)), NUMBER;
    Py_ssize_t n = PyTuple_CheckExact(given) ? PyTuple_GET_SIZE(given) : 0, i = 0;
    while (i < n && PyFloat_CheckExact(PyTuple_GET_ITEM(given, i))) i++;
    if (n == 0 || i < n) return partial->object = Py_NewRef(given), OBJECT;
    partial->numbers = PyMem_Malloc(sizeof(Numbers) + n * sizeof(double));
    if (partial->numbers == NULL) return PyErr_NoMemory(), -1;
    for (partial->numbers->count = n, i = 0; i < n; i++)
        partial->numbers->at[i] = PyFloat_AS_DOUBLE(PyTuple_GET_ITEM(given, i));
    return NUMBERS;
}

static PyObject *get_partial(PyObject *self, void *is_right) {
    int kind = is_right ? CELL(self)->right_kind : CELL(self)->left_kind;
    Partial partial = is_right ? CELL(self)->dright : CELL(self)->dleft;
    if (kind == NUMBER) return PyFloat_FromDouble(partial.number);
    if (kind != NUMBERS) return Py_NewRef(kind == OBJECT ? partial.object : zero);
    PyObject *numbers = PyTuple_New(partial.numbers->count);
    for (Py_ssize_t i = 0; numbers && i < partial.numbers->count; i++) {
        PyObject *number = PyFloat_FromDouble(partial.numbers->at[i]);
        if (number == NULL) Py_CLEAR(numbers);
        else PyTuple_SET_ITEM(numbers, i, number);
    }
    return numbers;
}

static int set_partial(PyObject *self, PyObject *given, void *is_right) {
    Partial partial = EDGE(0.0), *held = is_right ? &CELL(self)->dright : &CELL(self)->dleft;
    unsigned char *kind = is_right ? &CELL(self)->right_kind : &CELL(self)->left_kind;
    int new = partial_of(given, &partial), old = *kind;
    if (new < 0) return -1;
    Partial before = *held;
    *held = partial;
    *kind = (unsigned char)new;
    drop(before, old);
    return 0;
}

static PyObject *get_number(PyObject *self, void *is_grad) {
    if (!is_grad) return PyFloat_FromDouble(CELL(self)->data);
    if (CELL(self)->grad_kind == NUMBER) return PyFloat_FromDouble(CELL(self)->grad);
    return Py_NewRef(CELL(self)->grad_kind == OBJECT ? flat : Py_None);
}

static int set_number(PyObject *self, PyObject *given, void *is_grad) {
    double number = given == NULL || given == Py_None ? 0.0 : PyFloat_AsDouble(given);
    if (number == -1.0 && PyErr_Occurred()) return -1;
    if (!is_grad) return CELL(self)->data = number, 0;
    CELL(self)->grad_kind = given == NULL || given == Py_None ? NO_EDGE : given == flat ? OBJECT : NUMBER;
    return CELL(self)->grad = number, 0;
}

static PyGetSetDef cell_fields[] = {
    {"_data", get_number, set_number, NULL, NULL},       {"_grad", get_number, set_number, NULL, IS_SECOND},
    {"_dleft", get_partial, set_partial, NULL, NULL},    {"_dright", get_partial, set_partial, NULL, IS_SECOND},
    {"_left", get_object, set_object, NULL, AT(left)},   {"_right", get_object, set_object, NULL, AT(right)},
    {"_notes", get_object, set_object, NULL, AT(notes)}, {"_row", get_object, set_object, NULL, AT(row)},
    {NULL, NULL, NULL, NULL, NULL},
};

/* -- recording ---------------------------------------------------------------------------------------------------- */

/* `cell.record`, with the references to left and right given away; a name makes a scope for this node alone. */
static inline PyObject *recorded(PyObject *row, double data, PyObject *left, PyObject *right, int left_kind,
                                 Partial dleft, int right_kind, Partial dright, PyObject *name) {
    Cell *node = PyObject_GC_New(Cell, value_type); /* the collector does not track it */
    if (node == NULL) return Py_XDECREF(left), Py_XDECREF(right), drop(dleft, left_kind), drop(dright, right_kind), NULL;
    node->row = Py_NewRef(row), node->left = left, node->right = right, node->notes = NULL;
    node->data = data, node->dleft = dleft, node->dright = dright, node->in.walk = 0;
    node->left_kind = (unsigned char)left_kind, node->right_kind = (unsigned char)right_kind;
    node->grad_kind = NO_EDGE;
    PyObject *now, *scope, *observe, *answer = NULL;
    if (PyContextVar_Get(recording, NULL, &now) < 0) return Py_DECREF(node), NULL;
    scope = SLOT(now, now_scope), observe = SLOT(now, now_observe);
    if (name) {
        PyObject *inner = scope_type->tp_alloc(scope_type, 0);
        if (inner == NULL) return Py_DECREF(now), Py_DECREF(node), NULL;
        SLOT(inner, scope_name) = Py_NewRef(name), SLOT(inner, scope_parent) = Py_NewRef(scope);
        SLOT(inner, scope_site) = Py_NewRef(Py_None);
        node->notes = inner;
    } else if (scope != Py_None) node->notes = Py_NewRef(scope);
    if (observe != Py_None) {
        Py_INCREF(observe);
        answer = PyObject_CallOneArg(observe, (PyObject *)node);
        Py_DECREF(observe);
        if (answer == NULL) Py_CLEAR(node);
        Py_XDECREF(answer);
    }
    Py_DECREF(now);
    return (PyObject *)node;
}

static PyObject *record(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record` */
    Partial dleft = EDGE(0.0), dright = EDGE(0.0);
    double data = n == 6 ? PyFloat_AsDouble(args[1]) : 0.0;
    if (n != 6) PyErr_SetString(PyExc_TypeError, "record() takes 6 arguments");
    if (PyErr_Occurred()) return NULL;
    int left_kind = partial_of(args[4], &dleft), right_kind = left_kind < 0 ? -1 : partial_of(args[5], &dright);
    if (right_kind < 0) return left_kind < 0 ? NULL : (drop(dleft, left_kind), NULL);
    PyObject *right = args[3] == Py_None ? NULL : Py_NewRef(args[3]);
    return recorded(args[0], data, Py_NewRef(args[2]), right, left_kind, dleft, right_kind, dright, NULL);
}

static PyObject *by_table(int row, PyObject *a, PyObject *b) { /* Python's operator of `methods.Methods` */
    int is_reflected = !PyObject_TypeCheck(a, value_type);
    return PyObject_CallFunctionObjArgs(methods[row][is_reflected], is_reflected ? b : a, is_reflected ? a : b, NULL);
}

static inline PyObject *number_of(PyObject *x, double *number) { /* an operand to keep; NULL if Python must decide */
    if (IS_VALUE(x)) return *number = CELL(x)->data, Py_NewRef(x);
    if (PyFloat_CheckExact(x)) return *number = PyFloat_AS_DOUBLE(x), Py_NewRef(x);
    if (!PyLong_CheckExact(x)) return NULL;
    *number = PyLong_AsDouble(x);
    if (*number != -1.0 || !PyErr_Occurred()) return PyFloat_FromDouble(*number);
    return PyErr_Clear(), NULL; /* beyond the range of floats */
}

static inline PyObject *operate(int row, PyObject *a, PyObject *b) { /* `Cell.__add__` and its relatives */
    double x, y, data = 0.0, dleft = 1.0, dright = 1.0;
    PyObject *left = number_of(a, &x), *right = left ? number_of(b, &y) : NULL;
    if (right == NULL || (row == DIV && y == 0.0)) {
        Py_XDECREF(left), Py_XDECREF(right);
        return PyErr_Occurred() ? NULL : by_table(row, a, b);
    }
    if (row == ADD) data = x + y;
    if (row == SUB) data = x - y, dright = -1.0;
    if (row == MUL) data = x * y, dleft = y, dright = x;
    if (row == DIV) data = x / y, dleft = 1.0 / y, dright = -(data / y);
    return recorded(rows[row], data, left, right, IS_VALUE(a) ? NUMBER : NO_EDGE, EDGE(dleft),
                    IS_VALUE(b) ? NUMBER : NO_EDGE, EDGE(dright), NULL);
}

static PyObject *cell_add(PyObject *a, PyObject *b) { return operate(ADD, a, b); }
static PyObject *cell_sub(PyObject *a, PyObject *b) { return operate(SUB, a, b); }
static PyObject *cell_mul(PyObject *a, PyObject *b) { return operate(MUL, a, b); }
static PyObject *cell_div(PyObject *a, PyObject *b) { return operate(DIV, a, b); }

static PyObject *cell_pow(PyObject *a, PyObject *b, PyObject *modulus) { /* `Cell.__pow__`: a square */
    double x, y;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    PyObject *exponent = IS_VALUE(a) && !IS_VALUE(b) ? number_of(b, &y) : NULL;
    Py_XDECREF(exponent);
    if (exponent == NULL || y != 2.0) return PyErr_Occurred() ? NULL : by_table(POW, a, b);
    x = CELL(a)->data;
    return recorded(rows[POW], x * x, Py_NewRef(a), Py_NewRef(two), NUMBER, EDGE(2.0 * x), NO_EDGE, EDGE(0.0), NULL);
}

static PyObject *cell_neg(PyObject *a) { /* `Cell.__neg__` */
    if (!IS_VALUE(a)) return by_table(NEG, a, NULL);
    return recorded(rows[NEG], -CELL(a)->data, Py_NewRef(a), NULL, NUMBER, EDGE(-1.0), NO_EDGE, EDGE(0.0), NULL);
}

static PyObject *record_relu(PyObject *module, PyObject *x) { /* `cell.record_relu`: where(x <= 0.0, 0.0, x) */
    if (!IS_VALUE(x)) return PyErr_SetString(PyExc_TypeError, "record_relu() takes a Value"), NULL;
    int is_zero = CELL(x)->data <= 0.0;
    PyObject *nought = PyFloat_FromDouble(0.0), *holds = PyFloat_FromDouble(is_zero);
    PyObject *operands = nought && holds ? PyTuple_Pack(3, holds, nought, x) : NULL;
    PyObject *node = NULL;
    if (operands)
        node = recorded(rows[WHERE], is_zero ? 0.0 : CELL(x)->data, Py_NewRef(is_zero ? nought : x), operands,
                        is_zero ? NO_EDGE : NUMBER, EDGE(1.0), NO_EDGE, EDGE(0.0), relu_name);
    Py_XDECREF(nought), Py_XDECREF(holds);
    return node;
}

/* The rows "dot" and "sum" of `Value`s alone: a tuple of operands, a block of partials. None for anything else. */
static PyObject *record_many(int row, PyObject *xs, PyObject *ys) {
    Py_ssize_t n = PySequence_Fast_GET_SIZE(xs), count = ys ? 2 * n : n, i;
    Partial dleft = EDGE(1.0), dright = EDGE(1.0);
    PyObject *operands = NULL;
    if (count > 2) { /* before the lists are read: an allocation may run the collector, and that any Python */
        if ((dleft.numbers = PyMem_Malloc(sizeof(Numbers) + count * sizeof(double))) == NULL) return PyErr_NoMemory();
        if ((operands = PyTuple_New(count)) == NULL) return PyMem_Free(dleft.numbers), NULL;
        dleft.numbers->count = count;
    }
    PyObject **x = PySequence_Fast_ITEMS(xs), **y = ys ? PySequence_Fast_ITEMS(ys) : x;
    int is_plain = n > 0 && n == PySequence_Fast_GET_SIZE(xs) && (!ys || n == PySequence_Fast_GET_SIZE(ys));
    for (i = 0; is_plain && i < n; i++) is_plain = IS_VALUE(x[i]) && IS_VALUE(y[i]);
    if (!is_plain) {
        if (operands) Py_DECREF(operands), PyMem_Free(dleft.numbers);
        Py_RETURN_NONE;
    }
    double total = ys ? -0.0 : CELL(x[0])->data; /* adding -0.0 changes no number */
    for (i = !ys; i < n; i++) total += ys ? CELL(x[i])->data * CELL(y[i])->data : CELL(x[i])->data;
    for (i = 0; operands && i < count; i++) {
        PyTuple_SET_ITEM(operands, i, Py_NewRef(i < n ? x[i] : y[i - n]));
        dleft.numbers->at[i] = ys ? CELL(i < n ? y[i] : x[i - n])->data : 1.0;
    }
    if (operands) return recorded(rows[row], total, operands, NULL, NUMBERS, dleft, NO_EDGE, EDGE(0.0), NULL);
    if (ys) dleft = EDGE(CELL(y[0])->data), dright = EDGE(CELL(x[0])->data);
    PyObject *right = ys ? y[0] : n == 2 ? x[1] : NULL;
    return recorded(rows[row], total, Py_NewRef(x[0]), Py_XNewRef(right), NUMBER, dleft, right ? NUMBER : NO_EDGE,
                    dright, NULL);
}

static PyObject *record_dot(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record_dot` */
    if (n == 2 && (PyList_Check(args[0]) || PyTuple_Check(args[0])) && (PyList_Check(args[1]) || PyTuple_Check(args[1])))
        return record_many(DOT, args[0], args[1]);
    return PyErr_SetString(PyExc_TypeError, "record_dot() takes two lists or tuples"), NULL;
}

static PyObject *record_sum(PyObject *module, PyObject *xs) { /* `cell.record_sum` */
    if (PyList_Check(xs) || PyTuple_Check(xs)) return record_many(SUM, xs, NULL);
    return PyErr_SetString(PyExc_TypeError, "record_sum() takes a list or a tuple"), NULL;
}

static PyObject *apply(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `engine.apply`, for one operand */
    PyObject *row = args[0], *x = n == 2 && PyTuple_GET_SIZE(args[1]) == 1 ? PyTuple_GET_ITEM(args[1], 0) : NULL;
    PyObject *numbers[2] = {NULL, NULL}, *function = NULL, *rule = NULL, *partials = NULL, *node = NULL;
    PyObject *curvature = x && IS_VALUE(x) ? PyObject_GetAttr(row, name_curvature) : NULL;
    int is_unusual = curvature != Py_None;
    if (!is_unusual && (numbers[1] = PyFloat_FromDouble(CELL(x)->data)) &&
        (function = PyObject_GetAttr(row, name_function)) && (numbers[0] = PyObject_CallOneArg(function, numbers[1]))) {
        if (PyFloat_CheckExact(numbers[0]) && (rule = PyObject_GetAttr(row, name_rule)))
            partials = PyObject_Vectorcall(rule, numbers, 2, NULL);
        PyObject *partial = partials && PyTuple_CheckExact(partials) && PyTuple_GET_SIZE(partials) == 1
                                ? PyTuple_GET_ITEM(partials, 0) : NULL;
        is_unusual = partial == NULL || !(partial == zero || PyFloat_CheckExact(partial));
        if (!is_unusual)
            node = recorded(row, PyFloat_AS_DOUBLE(numbers[0]), Py_NewRef(x), NULL, partial == zero ? NO_EDGE : NUMBER,
                            EDGE(partial == zero ? 0.0 : PyFloat_AS_DOUBLE(partial)), NO_EDGE, EDGE(0.0), NULL);
        else if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception)) PyErr_Clear(); /* Python raises it again */
    }
    Py_XDECREF(numbers[0]), Py_XDECREF(numbers[1]), Py_XDECREF(curvature);
    Py_XDECREF(function), Py_XDECREF(rule), Py_XDECREF(partials);
    if (is_unusual && !PyErr_Occurred()) return PyObject_Vectorcall(python_apply, args, n, NULL);
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
    if (node->left_kind < OBJECT) return 2;
    Py_ssize_t n = node->left && PyTuple_CheckExact(node->left) ? PyTuple_GET_SIZE(node->left) : FAILED;
    if (node->left_kind == NUMBERS) return node->dleft.numbers->count == n ? n : FAILED;
    return PyTuple_CheckExact(node->dleft.object) && PyTuple_GET_SIZE(node->dleft.object) == n ? n : FAILED;
}

/* The operand that an edge leads to, with the partial; NULL if there is no edge, the node itself if Python decides. */
static inline Cell *edge(Cell *node, Py_ssize_t i, double *partial) {
    PyObject *operand, *number;
    if (node->left_kind < OBJECT) {
        int kind = i ? node->right_kind : node->left_kind;
        if (kind == NO_EDGE) return NULL;
        if (kind != NUMBER) return node;
        operand = i ? node->right : node->left;
        *partial = i ? node->dright.number : node->dleft.number;
    } else {
        operand = PyTuple_GET_ITEM(node->left, i);
        if (node->left_kind == NUMBERS) *partial = node->dleft.numbers->at[i];
        else if ((number = PyTuple_GET_ITEM(node->dleft.object, i)) == zero) return NULL;
        else if (!PyFloat_CheckExact(number)) return node;
        else *partial = PyFloat_AS_DOUBLE(number);
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
        node->grad = node->row || node->grad_kind != NUMBER ? order.adjoints[i] : node->grad + order.adjoints[i];
        node->grad_kind = NUMBER;
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

static Py_ssize_t offset_of(PyObject *type, const char *slot) { /* where a slot of a Python class lies */
    PyObject *member = PyObject_GetAttrString(type, slot);
    Py_ssize_t offset = member && Py_IS_TYPE(member, &PyMemberDescr_Type)
                            ? ((PyMemberDescrObject *)member)->d_member->offset : -1;
    if (member && offset < 0) PyErr_Format(PyExc_TypeError, "%s is not a slot", slot);
    return Py_XDECREF(member), offset;
}

static PyObject *adopt(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.adopt` */
    static const char *const operators[NEG + 1][2] = {{"__add__", "__radd__"}, {"__sub__", "__rsub__"},
        {"__mul__", "__rmul__"}, {"__truediv__", "__rtruediv__"}, {"__pow__", "__rpow__"}, {"__neg__", "__neg__"}};
    PyObject *stack = PyImport_ImportModule("autograd_mini.program.stack"), *recording_type = NULL, *scope = NULL;
    PyObject *row = PyImport_ImportModule("autograd_mini.core.row"), *table = NULL;
    PyObject *python = PyImport_ImportModule("autograd_mini.core.methods"), *operations = NULL;
    if (n == 2 && PyType_Check(args[0]) && stack && row && python && (table = PyObject_GetAttrString(row, "TABLE")) &&
        (recording_type = PyObject_GetAttrString(stack, "Recording")) && (scope = PyObject_GetAttrString(stack, "Scope")) &&
        (operations = PyObject_GetAttrString(python, "Methods"))) {
        value_type = (PyTypeObject *)Py_NewRef(args[0]), python_apply = Py_NewRef(args[1]);
        scope_type = (PyTypeObject *)Py_NewRef(scope);
        value_type->tp_dealloc = cell_dealloc; /* Python's for classes takes as long as all else about a node */
        now_scope = offset_of(recording_type, "scope"), now_observe = offset_of(recording_type, "observe");
        scope_name = offset_of(scope, "name"), scope_parent = offset_of(scope, "parent");
        scope_site = offset_of(scope, "site");
        recording = PyObject_GetAttrString(stack, "_recording"), zero = PyObject_GetAttrString(row, "ZERO");
        flat = PyObject_GetAttrString(row, "FLAT"), two = PyFloat_FromDouble(2.0);
        relu_name = PyUnicode_InternFromString("relu"), name_function = PyUnicode_InternFromString("function");
        name_rule = PyUnicode_InternFromString("rule"), name_curvature = PyUnicode_InternFromString("curvature");
        for (int i = 0; i < ROWS; i++) {
            if ((rows[i] = PyMapping_GetItemString(table, row_names[i])) == NULL) break;
            for (int j = 0; i <= NEG && j < 2; j++) methods[i][j] = PyObject_GetAttrString(operations, operators[i][j]);
        }
    }
    Py_XDECREF(stack), Py_XDECREF(row), Py_XDECREF(python), Py_XDECREF(table), Py_XDECREF(recording_type);
    Py_XDECREF(scope), Py_XDECREF(operations);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"accumulate", (PyCFunction)(void (*)(void))accumulate, METH_FASTCALL, "`sweep.accumulate`"},
    {"adopt", (PyCFunction)(void (*)(void))adopt, METH_FASTCALL, "`cell.adopt`"},
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
