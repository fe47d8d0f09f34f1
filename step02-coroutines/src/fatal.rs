//! Ending the process with a sentence, where nobody is left to whom an error could be returned.

/// Writes the parts to stderr, one after the other, and aborts. It allocates nothing and takes no lock, so it works on a
/// stack that is nearly full and in a signal handler.
#[cold]
pub(crate) fn die(parts: &[&str]) -> ! {
    say("\nfatal error: ");
    parts.iter().for_each(|part| say(part));
    say("\n");
    // SAFETY: it may be called anywhere, and does not return.
    unsafe { libc::abort() }
}

fn say(text: &str) {
    // SAFETY: the text is valid for reading. If it cannot be written, nobody can be told.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}
