//! What each action needs and does; `None` if it cannot happen now.

mod cluster;
mod lifecycle;
mod movement;
mod restart;
mod sweep;
mod upload;
