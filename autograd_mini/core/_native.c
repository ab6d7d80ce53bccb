/* The inner loop in C: what a `Value` holds, how the common operations are recorded in it, the order and the sweep.

   The Python text says what must happen, and runs where no compiler was; each function here names its twin there, and
   gives the same bits. What is unusual it leaves to its twin. There is no derivative here beyond those of + - * / neg,
   squares and dot: for all others, C calls the rules of the table. */

#include <Python.h>
#include <structmember.h>

/* -- a node ------------------------------------------------------------------------------------------------------- */

/* A number without its box: absent (`ZERO` or None), a double, or an object: `FLAT`, a tuple, or the bytes of doubles,
   one for each operand, of which those of constants mean nothing. */
enum { ABSENT, NUMBER, OBJECT };
typedef union { double number; PyObject *object; } Number;
#define DOUBLES(bytes) ((double *)PyBytes_AS_STRING(bytes))
#define COUNT(bytes) (PyBytes_GET_SIZE(bytes) / (Py_ssize_t)sizeof(double))

/* The fields of `cell.SLOTS`. A walk marks the nodes that it meets with a number of its own, and never has to clear it:
   no state of a sweep is left in a node. */
enum { LEFT, RIGHT, DATA, GRAD, NUMBERS };
typedef struct Cell {
    PyObject_HEAD
    PyObject *row, *operands[2], *notes; /* NULL or None */
    Number of[NUMBERS];                  /* both partials, the data and the gradient */
    unsigned char kind[NUMBERS];
    unsigned int place; /* in the order of the last walk that met this node */
    union { unsigned long long walk; struct Cell *next; } in; /* that walk; in a freed node, the next one */
} Cell;

/* What `cell.adopt` tells: rows of the table, objects of Python's, two twins, operators of `cell.Cell`, each with its
   reflection, and the slots in which `Recording` and `Scope` keep what is needed here. */
enum { ADD, SUB, MUL, DIV, POW, NEG, DOT, SUM, ZERO, TWO, RECORDING, VALUE, SCOPE, DOT_TWIN, SUM_TWIN, OPERATORS,
       NOW_SCOPE = OPERATORS + 2 * (NEG + 1), NOW_OBSERVE, SCOPE_NAME, SCOPE_PARENT, SCOPE_SITE, KNOWN };
static PyObject *known[KNOWN];
static PyTypeObject cell_type, *value_type; /* `Value` is the class of the nodes that are made here */

#define SLOT(object, which) (*(PyObject **)((char *)(object) + ((PyMemberDescrObject *)known[which])->d_member->offset))
#define CELL(x) ((Cell *)(x))
#define IS_VALUE(x) (Py_TYPE(x) == value_type)

/* Freed nodes for the next graph: to get the memory of a large one anew takes as long as all else. */
static Cell *spare;
static int spares;
#define MOST_SPARES (1 << 16) /* 7 MB */

static PyObject *cell_alloc(PyTypeObject *type, Py_ssize_t unused) { /* the collector does not track a `Value` */
    Cell *node = spare;
    if (type != value_type) return PyType_GenericAlloc(type, unused);
    if (node) spare = node->in.next, spares--, PyObject_Init((PyObject *)node, type);
    else if ((node = PyObject_GC_New(Cell, type)) == NULL) return NULL;
    return memset(&node->row, 0, sizeof(Cell) - offsetof(Cell, row)), (PyObject *)node;
}

static void cell_dealloc(PyObject *self) {
    static Cell *dying; /* a graph may be a million nodes deep, so this does not recurse */
    static int is_freeing;
    PyTypeObject *base = Py_TYPE(self);
    while (base->tp_dealloc != cell_dealloc) base = base->tp_base;
    if (base == &cell_type) Py_INCREF(Py_TYPE(self)); /* Python takes the node's reference away, perhaps before */
    PyObject_GC_UnTrack(self);
    CELL(self)->in.next = dying, dying = CELL(self);
    if (is_freeing) return;
    is_freeing = 1;
    for (Cell *node; (node = dying) != NULL;) {
        PyTypeObject *type = Py_TYPE(node);
        dying = node->in.next;
        Py_XDECREF(node->operands[LEFT]), Py_XDECREF(node->operands[RIGHT]);
        Py_XDECREF(node->notes), Py_XDECREF(node->row);
        for (int i = 0; i < NUMBERS; i++)
            if (node->kind[i] == OBJECT) Py_DECREF(node->of[i].object);
        if (type == value_type && spares < MOST_SPARES) node->in.next = spare, spare = node, spares++;
        else type->tp_free(node);
        Py_DECREF(type);
    }
    is_freeing = 0;
}

/* For a cycle through notes or what a subclass adds; to break it, the collector clears the dicts there. */
static int cell_traverse(PyObject *self, visitproc visit, void *arg) {
    PyObject *objects[] = {CELL(self)->row, CELL(self)->operands[LEFT], CELL(self)->operands[RIGHT], CELL(self)->notes};
    for (int i = 0; i < 4; i++) Py_VISIT(objects[i]);
    for (int i = 0; i < NUMBERS; i++) Py_VISIT(CELL(self)->kind[i] == OBJECT ? CELL(self)->of[i].object : NULL);
    return 0;
}

static int kind_of(PyObject *given, Number *number) { /* and the number, without its box; an object is borrowed */
    number->number = 0.0;
    if (given == NULL || given == known[ZERO] || given == Py_None) return ABSENT;
    if (PyFloat_CheckExact(given)) return number->number = PyFloat_AS_DOUBLE(given), NUMBER;
    return number->object = given, OBJECT;
}

static int set_number(PyObject *self, PyObject *given, void *which) {
    Number *number = &CELL(self)->of[(Py_ssize_t)which];
    unsigned char *kind = &CELL(self)->kind[(Py_ssize_t)which];
    PyObject *before = *kind == OBJECT ? number->object : NULL;
    if ((*kind = (unsigned char)kind_of(given, number)) == OBJECT) Py_INCREF(given);
    return Py_XDECREF(before), 0;
}

static PyObject *get_number(PyObject *self, void *which) {
    Number number = CELL(self)->of[(Py_ssize_t)which];
    int kind = CELL(self)->kind[(Py_ssize_t)which];
    PyObject *operands = CELL(self)->operands[LEFT], *boxes, *box;
    if (kind == NUMBER) return PyFloat_FromDouble(number.number);
    if (kind == ABSENT) return Py_NewRef((Py_ssize_t)which < DATA ? known[ZERO] : Py_None);
    int is_packed = PyBytes_CheckExact(number.object) && operands && PyTuple_CheckExact(operands);
    if (!is_packed || PyTuple_GET_SIZE(operands) != COUNT(number.object)) return Py_NewRef(number.object);
    boxes = PyTuple_New(COUNT(number.object));
    for (Py_ssize_t i = 0; boxes && i < COUNT(number.object); i++) {
        int is_edge = !PyFloat_CheckExact(PyTuple_GET_ITEM(operands, i));
        box = is_edge ? PyFloat_FromDouble(DOUBLES(number.object)[i]) : Py_NewRef(known[ZERO]);
        if (box == NULL) Py_CLEAR(boxes);
        else PyTuple_SET_ITEM(boxes, i, box);
    }
    return boxes;
}

#define NUMBER_FIELD(name, which) {name, get_number, set_number, NULL, (void *)which}
static PyGetSetDef cell_numbers[] = {NUMBER_FIELD("_dleft", LEFT), NUMBER_FIELD("_dright", RIGHT),
    NUMBER_FIELD("_data", DATA), NUMBER_FIELD("_grad", GRAD), {NULL, NULL, NULL, NULL, NULL}};
#define OBJECT_FIELD(name, field) {name, T_OBJECT, offsetof(Cell, field), 0, NULL}
static PyMemberDef cell_objects[] = {OBJECT_FIELD("_row", row), OBJECT_FIELD("_left", operands[LEFT]),
    OBJECT_FIELD("_right", operands[RIGHT]), OBJECT_FIELD("_notes", notes), {NULL, 0, 0, 0, NULL}};

/* -- recording ---------------------------------------------------------------------------------------------------- */

static inline Cell *new_node(PyObject *row, double data) {
    Cell *node = CELL(cell_alloc(value_type, 0));
    if (node) node->row = Py_NewRef(row), node->of[DATA].number = data, node->kind[DATA] = NUMBER;
    return node;
}

/* Give a new node, if there is one, an operand, which it takes over, and the partial, which counts for a `Value`. */
static inline void attach(Cell *node, int side, PyObject *operand, double partial) {
    if (node) node->operands[side] = operand, node->of[side].number = partial;
    else Py_XDECREF(operand);
    if (node && operand && IS_VALUE(operand)) node->kind[side] = NUMBER;
    if (node && operand && PyTuple_CheckExact(operand)) PyObject_GC_UnTrack(operand); /* see `node.track` */
}

/* Put a new node, if there is one, into the scope of now, or into one of its own inside; show it to the observers. */
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
        if (answer == NULL) Py_CLEAR(node);
        Py_DECREF(observe), Py_XDECREF(answer);
    }
    return Py_DECREF(now), (PyObject *)node;
}

static PyObject *record(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `cell.record` */
    if (n != 6 && n != 7) return PyErr_Format(PyExc_TypeError, "record() takes 6 or 7 arguments");
    Cell *node = new_node(args[0], 0.0);
    if (node == NULL) return NULL;
    attach(node, LEFT, Py_NewRef(args[2]), 0.0), attach(node, RIGHT, Py_NewRef(args[3]), 0.0);
    set_number((PyObject *)node, args[1], (void *)DATA);
    set_number((PyObject *)node, args[4], (void *)LEFT), set_number((PyObject *)node, args[5], (void *)RIGHT);
    return recorded(node, n == 7 ? args[6] : NULL);
}

static PyObject *by_twin(int row, PyObject *a, PyObject *b) { /* the operator in Python */
    int is_reflected = !PyObject_TypeCheck(a, value_type) || (b && IS_VALUE(b) && !IS_VALUE(a));
    PyObject *twin = known[OPERATORS + 2 * row + is_reflected];
    return PyObject_CallFunctionObjArgs(twin, is_reflected ? b : a, is_reflected ? a : b, NULL);
}

static inline int number_of(PyObject *x, double *number) { /* whether it is a `Value` or a float, and no `FLAT` */
    if (IS_VALUE(x)) return *number = CELL(x)->of[DATA].number, CELL(x)->kind[DATA] == NUMBER;
    return PyFloat_CheckExact(x) ? (*number = PyFloat_AS_DOUBLE(x), 1) : 0;
}

static inline PyObject *operand(PyObject *x, double *number) { /* with its number; NULL if Python must decide */
    if (number_of(x, number)) return Py_NewRef(x);
    if (!PyLong_CheckExact(x)) return NULL;
    *number = PyLong_AsDouble(x);
    if (*number != -1.0 || !PyErr_Occurred()) return PyFloat_FromDouble(*number);
    return PyErr_Clear(), NULL; /* beyond the range of floats */
}

static inline PyObject *operate(int row, PyObject *a, PyObject *b) { /* `Cell.__add__` and its relatives */
    double x, y = 0.0, data = 0.0, dleft = 1.0, dright = 1.0;
    PyObject *left = operand(a, &x), *right = left && b ? operand(b, &y) : NULL;
    if (left == NULL || (b && right == NULL) || (row == DIV && y == 0.0)) {
        Py_XDECREF(left), Py_XDECREF(right);
        return PyErr_Occurred() ? NULL : by_twin(row, a, b);
    }
    if (row == ADD) data = x + y;
    if (row == SUB) data = x - y, dright = -1.0;
    if (row == MUL) data = x * y, dleft = y, dright = x;
    if (row == DIV) data = x / y, dleft = 1.0 / y, dright = -(data / y);
    if (row == POW) data = x * x, dleft = 2.0 * x; /* a square */
    if (row == NEG) data = -x, dleft = -1.0;
    Cell *node = new_node(known[row], data);
    attach(node, LEFT, left, dleft), attach(node, RIGHT, right, dright);
    return recorded(node, NULL);
}

static PyObject *cell_add(PyObject *a, PyObject *b) { return operate(ADD, a, b); }
static PyObject *cell_sub(PyObject *a, PyObject *b) { return operate(SUB, a, b); }
static PyObject *cell_mul(PyObject *a, PyObject *b) { return operate(MUL, a, b); }
static PyObject *cell_div(PyObject *a, PyObject *b) { return operate(DIV, a, b); }
static PyObject *cell_neg(PyObject *a) { return operate(NEG, a, NULL); }

static PyObject *cell_pow(PyObject *a, PyObject *b, PyObject *modulus) { /* `Cell.__pow__` */
    double power = PyFloat_CheckExact(b) ? PyFloat_AS_DOUBLE(b) : 0.0;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (PyLong_CheckExact(b)) power = (double)PyLong_AsLong(b), PyErr_Clear(); /* it is far beyond 2 */
    return power == 2.0 && IS_VALUE(a) ? operate(POW, a, known[TWO]) : by_twin(POW, a, b);
}

/* The rows "dot" and "sum" of three or more `Value`s and floats, with their partials in bytes. */
static PyObject *record_many(int row, PyObject *operands) {
    Py_ssize_t n = PyTuple_CheckExact(operands) ? PyTuple_GET_SIZE(operands) : 0, half = row == DOT ? n / 2 : n, i;
    PyObject *x, *partials = PyBytes_FromStringAndSize(NULL, n * (Py_ssize_t)sizeof(double));
    if (partials == NULL) return NULL;
    double *at = DOUBLES(partials), total = -0.0; /* adding it changes no number */
    int is_usual = n > 2 && (row == SUM || n % 2 == 0), nodes = 0;
    for (i = 0; is_usual && i < n; i++, nodes += IS_VALUE(x)) /* the number of each is the partial of its partner */
        x = PyTuple_GET_ITEM(operands, i), is_usual = number_of(x, &at[i + half < n ? i + half : i + half - n]);
    for (i = 0; i < half && is_usual; i++) total += row == DOT ? at[half + i] * at[i] : at[i];
    for (i = 0; i < n && row == SUM; i++) at[i] = 1.0;
    Cell *node = is_usual && nodes ? new_node(known[row], total) : NULL;
    if (node) attach(node, LEFT, Py_NewRef(operands), 0.0), set_number((PyObject *)node, partials, (void *)LEFT);
    Py_DECREF(partials);
    if (is_usual && nodes) return recorded(node, NULL);
    return PyObject_CallOneArg(known[row == DOT ? DOT_TWIN : SUM_TWIN], operands);
}

static PyObject *record_dot(PyObject *module, PyObject *xs) { return record_many(DOT, xs); } /* `cell.record_dot` */
static PyObject *record_sum(PyObject *module, PyObject *xs) { return record_many(SUM, xs); } /* `cell.record_sum` */

/* -- the order and the sweep -------------------------------------------------------------------------------------- */

/* From the start, operands before results; at the end, nodes that wait for an operand, each with its place to look. */
typedef struct { Cell *node; double adjoint; int is_reached; } Entry;
typedef struct { Entry *at; Py_ssize_t count, waiting, room; unsigned long long walk; } Order;
enum { FAILED = -1, DONE, UNUSUAL };
static unsigned long long walks; /* through graphs, ever */

static int rest(Py_ssize_t step, Order *order) { /* signals, other threads run here alone, and may mark our nodes */
    if (step % 65536) return DONE; /* a few milliseconds */
    return PyErr_CheckSignals() < 0 ? FAILED : order->walk == walks ? DONE : UNUSUAL;
}

static int make_room(Order *order) { /* for one more node */
    Py_ssize_t room = order->room ? 2 * order->room : 64, waiting = order->waiting;
    if (order->count + waiting < order->room) return DONE;
    Entry *at = room <= UINT_MAX ? PyMem_Realloc(order->at, room * sizeof(Entry)) : NULL;
    if (at == NULL) return PyErr_NoMemory(), FAILED;
    memmove(&at[room - waiting], &at[order->room - waiting], waiting * sizeof(Entry));
    return order->at = at, order->room = room, DONE;
}

static inline void settle(Order *order, Cell *node, double adjoint, int is_reached) {
    node->in.walk = order->walk, node->place = (unsigned int)order->count;
    order->at[order->count++] = (Entry){node, adjoint, is_reached};
}

/* Edge i of a node: the operand, with the partial; NULL if there is none, the node itself if Python must decide. */
static inline int edge(Cell *node, Py_ssize_t i, Cell **operand, Number *partial) { /* whether there can be one */
    PyObject *x = node->operands[LEFT];
    int kind = node->kind[LEFT];
    if (kind != OBJECT) {
        if (i > 1) return 0;
        x = node->operands[i], kind = node->kind[i], *partial = node->of[i];
    } else if (x && PyTuple_CheckExact(x)) {
        PyObject *partials = node->of[LEFT].object;
        if (i >= PyTuple_GET_SIZE(x)) return 0;
        x = PyTuple_GET_ITEM(x, i);
        if (PyBytes_CheckExact(partials) && i < COUNT(partials))
            kind = IS_VALUE(x) ? NUMBER : ABSENT, partial->number = DOUBLES(partials)[i];
        else if (PyTuple_CheckExact(partials) && i < PyTuple_GET_SIZE(partials))
            kind = kind_of(PyTuple_GET_ITEM(partials, i), partial);
    }
    *operand = kind == ABSENT ? NULL : kind == NUMBER && x && IS_VALUE(x) ? CELL(x) : node;
    return 1;
}

static int walk_behind(Order *order, Cell *next) { /* `sweep.order_of_pairs`: depth first, one operand at a time */
    Number partial;
    int problem = DONE;
    Cell *node, *operand;
    if (next->in.walk == order->walk) return DONE;
    for (Py_ssize_t step = 1; problem == DONE && (next || order->waiting); step++) {
        if (next && make_room(order) < 0) return FAILED;
        if (next) next->place = 0, order->at[order->room - ++order->waiting].node = next;
        node = order->at[order->room - order->waiting].node, next = NULL;
        while (next == NULL && edge(node, node->place++, &operand, &partial))
            if (operand && operand->in.walk != order->walk) next = operand;
        if (next == NULL) order->waiting--, settle(order, node, 0.0, 0);
        problem = next == node ? UNUSUAL : rest(step, order);
    }
    return problem;
}

static int sweep(Order *order, Py_ssize_t end) { /* `sweep.sweep`: the chain rule, from the last node down to the end */
    Number partial;
    Cell *operand;
    for (Py_ssize_t i = order->count; i-- > end;) {
        Entry *from = &order->at[i], *to;
        int problem = rest(i, order);
        if (problem) return problem;
        for (Py_ssize_t j = 0; from->is_reached && edge(from->node, j, &operand, &partial); j++) {
            if (operand == NULL) continue;
            if (operand == from->node || operand->in.walk != order->walk) return UNUSUAL;
            double contribution = from->adjoint * partial.number;
            to = &order->at[operand->place];
            to->adjoint = to->is_reached ? to->adjoint + contribution : contribution, to->is_reached = 1;
        }
    }
    return DONE;
}

static int put(Entry *entry, PyObject *adjoints) { /* an adjoint into a dict, or into the gradient of its node */
    Cell *node = entry->node;
    if (adjoints == Py_None) {
        int is_leaf = node->row == NULL || node->row == Py_None;
        double before = is_leaf && node->kind[GRAD] == NUMBER ? node->of[GRAD].number : -0.0;
        if (node->kind[GRAD] == OBJECT) Py_DECREF(node->of[GRAD].object);
        return node->of[GRAD].number = before + entry->adjoint, node->kind[GRAD] = NUMBER, DONE;
    }
    PyObject *box = entry->is_reached ? PyFloat_FromDouble(entry->adjoint) : Py_NewRef(known[ZERO]);
    int problem = box ? PyDict_SetItem(adjoints, (PyObject *)node, box) : FAILED;
    return Py_XDECREF(box), problem;
}

/* `sweep.propagate`; if all adjoints are `ZERO`, `sweep.order_of_pairs`; without a dict of them, `backward`. */
static int derive(Order *order, PyObject *root, PyObject *seed, PyObject *adjoints, Py_ssize_t end) {
    PyObject *node, *adjoint;
    Number number;
    int problem = IS_VALUE(root) && (adjoints == Py_None || PyDict_CheckExact(adjoints)) ? DONE : UNUSUAL;
    for (Py_ssize_t at = 0; problem == DONE && adjoints != Py_None && PyDict_Next(adjoints, &at, &node, &adjoint);) {
        int kind = IS_VALUE(node) ? kind_of(adjoint, &number) : OBJECT;
        problem = kind == OBJECT ? UNUSUAL : make_room(order);
        if (problem == DONE) settle(order, CELL(node), number.number, kind == NUMBER);
    }
    if (problem || (problem = walk_behind(order, CELL(root)))) return problem;
    int kind = kind_of(seed, &number);
    order->at[CELL(root)->place] = (Entry){CELL(root), number.number, kind == NUMBER};
    problem = kind == OBJECT || end < 0 ? UNUSUAL : sweep(order, end);
    for (Py_ssize_t i = 0; problem == DONE && i < order->count; i++) problem = put(&order->at[i], adjoints);
    return problem;
}

static PyObject *propagate(PyObject *module, PyObject *const *args, Py_ssize_t n) { /* `sweep.propagate` */
    Order order = {.walk = ++walks};
    int problem = n == 4 ? derive(&order, args[0], args[1], args[2], PyLong_AsSsize_t(args[3])) : UNUSUAL;
    PyMem_Free(order.at);
    return problem == FAILED ? NULL : (PyErr_Clear(), PyBool_FromLong(problem == DONE)); /* the end may be no number */
}

/* -- the module --------------------------------------------------------------------------------------------------- */

static PyObject *adopt(PyObject *module, PyObject *objects) { /* `cell.adopt` */
    for (int i = 0; i < KNOWN; i++) known[i] = Py_NewRef(PyTuple_GET_ITEM(objects, i));
    value_type = (PyTypeObject *)known[VALUE];
    value_type->tp_alloc = cell_alloc, value_type->tp_dealloc = cell_dealloc; /* Python's take as long as all else */
    Py_RETURN_NONE;
}

static PyObject *track(PyObject *module, PyObject *part) { /* a step of `node.track` */
    if ((IS_VALUE(part) || PyTuple_CheckExact(part)) && !PyObject_GC_IsTracked(part)) PyObject_GC_Track(part);
    Py_RETURN_NONE;
}

static PyTypeObject cell_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "autograd_mini.core._native.Cell", .tp_basicsize = sizeof(Cell),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, .tp_dealloc = cell_dealloc,
    .tp_traverse = cell_traverse, .tp_getset = cell_numbers, .tp_members = cell_objects,
    .tp_as_number = &(PyNumberMethods){.nb_add = cell_add, .nb_subtract = cell_sub, .nb_multiply = cell_mul,
        .nb_true_divide = cell_div, .nb_power = cell_pow, .nb_negative = cell_neg}};

#define SIMPLE(name) {#name, name, METH_O, NULL}
#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}
static PyMethodDef functions[] = {FAST(propagate), FAST(record), SIMPLE(record_dot), SIMPLE(record_sum),
    SIMPLE(adopt), SIMPLE(track), {NULL, NULL, 0, NULL}};

static int execute(PyObject *module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) /* what it remembers is one interpreter's */
        return PyErr_SetString(PyExc_ImportError, "the C text runs in the main interpreter only"), -1;
    if (PyModule_AddIntConstant(module, "SOURCE_DIGEST", SOURCE_DIGEST) < 0) return -1; /* `accelerator` compares it */
    cell_type.tp_new = PyBaseObject_Type.tp_new; /* so that `object.__new__` makes nodes */
    return PyType_Ready(&cell_type) < 0 ? -1 : PyModule_AddObjectRef(module, "Cell", (PyObject *)&cell_type);
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_native", .m_methods = functions,
    .m_slots = (PyModuleDef_Slot[]){{Py_mod_exec, execute}, {0, NULL}}};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
