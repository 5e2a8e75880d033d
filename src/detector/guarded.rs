//! A call into a library that asserts inside: its panics are its own, end no fit and reach no log.

use std::cell::Cell;
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    /// True while this thread is inside [`guarded`].
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// What `call` gives, or none when it panics. The panic hook is told nothing of it; every other panic of this and any
/// other thread reaches the hook that was there before.
///
/// Panics on threads that `call` starts itself are not covered.
pub(super) fn guarded<T>(call: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                before(info);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let outcome = panic::catch_unwind(call);
    IS_GUARDED.set(was_guarded);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static HEARD: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_guarded_panic_is_silent_and_every_other_is_heard() {
        let me = std::thread::current().id();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match std::thread::current().id() == me {
            true => drop(HEARD.fetch_add(1, Ordering::SeqCst)),
            false => before(info),
        }));
        // The hook of `guarded` may be older than ours or not yet there: make it the outermost one.
        let outermost = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                outermost(info);
            }
        }));
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| -> u8 { panic!("inside") }), None);
        assert_eq!(HEARD.load(Ordering::SeqCst), 0);
        assert!(panic::catch_unwind(|| panic!("outside")).is_err());
        assert_eq!(HEARD.load(Ordering::SeqCst), 1);
    }
}
