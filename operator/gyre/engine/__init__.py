"""The level-triggered engine: events become keys, keys become observations, observations become effects.

    watch event ─▶ cache ─▶ keys to wake ─▶ queue ─▶ worker: gather → decide → effects → status
                     ▲                        ▲
                   sweep (every 5 minutes)    timers, back-off

An event carries no decision: losing one, seeing one twice or late changes when we look, never what we do. The engine knows
nothing of any kind; `gyre.kinds.KINDS` is handed in. Why not Kopf's own handlers: docs/decisions/0001-engine.md.
"""
