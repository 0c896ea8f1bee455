"""The two pluggy markers, alone in a module so that a plugin can import them for next to nothing."""

import pluggy

PROJECT = "rankhub"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
