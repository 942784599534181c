//! Where a walk over a body is, and what it has seen.

use syn::{Attribute, Stmt, visit::Visit as _};

use super::{
    bound::Bound, keys::Keys, once::Once, ours::Ours, race::Select, repeat::Repeat, task::Task,
    volatile::Volatile,
};
use crate::diag::Errors;

/// A walk over a body.
pub(super) struct Walk<'a> {
    pub(super) ours: Ours<'a>,
    pub(super) errors: &'a mut Errors,
    pub(super) keys: Keys,
    pub(super) once: Once,
    pub(super) bound: Bound,
    pub(super) repeat: Option<Repeat>,
    /// The step whose expression this is.
    pub(super) step: Option<String>,
    /// How many races there are so far.
    pub(super) races: usize,
    /// The race and the arm that this is in, by the number of the one and the name of the other: two races may have the same key, if
    /// it captures what differs.
    pub(super) scope: String,
    /// The `select!`, or the like, that this is in.
    pub(super) select: Option<Select>,
    /// The `#[cfg]`s that this is under.
    pub(super) cfg: Option<String>,
    pub(super) task: Option<Task>,
    /// Whether what stands here becomes what a name holds.
    pub(super) named: bool,
    pub(super) volatile: Volatile,
}

impl Walk<'_> {
    pub(super) fn within(&mut self, repeat: Repeat, visit: impl FnOnce(&mut Self)) {
        let outside = self.repeat.replace(repeat);
        visit(self);
        self.repeat = outside;
    }

    /// Visits everything that may have attributes.
    pub(super) fn under(&mut self, visit: impl FnOnce(&mut Self)) {
        let outside = (self.cfg.clone(), self.volatile.meant);
        visit(self);
        (self.cfg, self.volatile.meant) = outside;
    }

    pub(super) fn attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            self.visit_attribute(attribute);
        }
    }

    /// Visits a block, or whatever else has names of its own.
    pub(super) fn scoped(&mut self, statements: &[Stmt], visit: impl FnOnce(&mut Self)) {
        self.bound.enter();
        self.volatile.enter(statements);
        visit(self);
        self.volatile.leave();
        self.bound.leave();
    }

    pub(super) fn in_select(&mut self, select: Option<Select>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.select, select);
        visit(self);
        self.select = outside;
    }

    /// Visits a block or closure, which is not evaluated where it stands.
    pub(super) fn inside(&mut self, visit: impl FnOnce(&mut Self)) {
        let task = self.task.map(Task::inside);
        let select = self.select.clone().map(Select::inside);
        self.in_select(select, |walk| walk.in_task(task, visit));
    }

    pub(super) fn in_task(&mut self, task: Option<Task>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.task, task);
        visit(self);
        self.task = outside;
    }
}
