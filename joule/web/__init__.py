"""Three small apps for the browser: chat, admin and support."""
