//! What is told where there is no window: in a dialog, for who starts a program by its icon sees no terminal.

/// Tells why the window is not there, and waits until it was read; on the terminal, too, if there is one.
pub fn tell(message: &str) {
    eprintln!("{message}");
    show(message);
}

/// GTK is asked itself: the dialogs of others would wait for ever where there is no screen.
#[cfg(target_os = "linux")]
fn show(message: &str) {
    use gtk::prelude::{DialogExt, GtkWindowExt};
    if gtk::init().is_ok() {
        let dialog = gtk::MessageDialog::new(gtk::Window::NONE, gtk::DialogFlags::empty(), gtk::MessageType::Error, gtk::ButtonsType::Close, message);
        dialog.set_title("Lapidary");
        dialog.run();
    }
}

#[cfg(not(target_os = "linux"))]
fn show(message: &str) {
    rfd::MessageDialog::new().set_level(rfd::MessageLevel::Error).set_title("Lapidary").set_description(message).show();
}
