//! whisper.cpp's own messages, into our log.

use std::{
    ffi::{CStr, c_char, c_uint, c_void},
    sync::Once,
};

/// Routes the messages of whisper.cpp and ggml to `tracing`, once per process.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        #[expect(unsafe_code, reason = "hands a callback to a C library")]
        // SAFETY: `pass_on` has the signature the library declares, is never unloaded and uses no user data.
        unsafe {
            whisper_rs::set_log_callback(Some(pass_on), std::ptr::null_mut());
        }
    });
}

/// Levels as ggml.h numbers them. One step down from what whisper.cpp thinks of itself: its errors come back to us
/// as return values and are reported where they are handled; its information is of interest to its developers.
#[expect(unsafe_code, reason = "a C callback")]
unsafe extern "C" fn pass_on(level: c_uint, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: not null, and the library passes a string that ends in zero and lives as long as this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim();
    match level {
        _ if text.is_empty() => {}
        3 | 4 => tracing::debug!(target: "whisper.cpp", "{text}"),
        _ => tracing::trace!(target: "whisper.cpp", "{text}"),
    }
}
