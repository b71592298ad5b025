"""The API server as gyre sees it: a thin, typed face over the official `kubernetes` package's asyncio side.

Only the engine and the shell come here. Kinds never do: they read through `gyre.api.kind.Reader` and write through effects.
"""
