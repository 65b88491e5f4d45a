//! End-to-end tests: one binary, a module for each subject.

mod actions;
mod bad_input;
mod clients;
mod completion;
mod lifecycle;
mod meanwhile;
mod neovim;
mod real_model;
mod remedies;
mod review;
mod stream;
