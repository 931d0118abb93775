"""Which function answers which method. Names only: importing them imports torch, which waits until
after the handshake."""

from __future__ import annotations

from depthkit_worker.session.handlers import Handlers

HANDLERS = Handlers(
    package="depthkit_worker.handlers",
    functions={
        "worker.ping": "worker:ping",
        "worker.sleep": "worker:sleep",
        "worker.status": "worker:status",
        "worker.checkTarget": "worker:target",
        "environment.read": "environment:read",
        "model.load": "model:load",
        "model.tokenizer": "model:tokenizer",
        "model.unload": "model:unload",
        "corpus.load": "corpus:load",
        "corpus.write": "corpus:write",
        "corpus.overlap": "corpus:overlap",
        "corpus.unload": "corpus:unload",
        "task.load": "task:load",
        "task.unload": "task:unload",
        "subnetworks.evaluate": "subnetworks:evaluate",
        "influence.measure": "influence:measure",
        "influence.gradients": "influence:gradients",
        "influence.stream": "influence:stream",
        "gates.learn": "gates:learn",
        "evaluation.perplexity": "evaluation:perplexity",
        "evaluation.choices": "evaluation:choices",
        "evaluation.lastWord": "evaluation:last_word",
        "repair.fit": "repair:fit",
        "repair.save": "repair:save",
        "repair.load": "repair:load",
        "repair.unload": "repair:unload",
        "profiling.profile": "profiling:profile",
        "profiling.unitCosts": "profiling:unit_costs",
        "generation.generate": "generation:generate",
        "generation.loadTask": "generation:load_task",
        "generation.unloadTask": "generation:unload_task",
        "generation.solve": "generation:solve",
        "harness.run": "harness:run",
        "export.huggingface": "export:huggingface",
        "files.digest": "files:digest",
        "files.list": "files:list_files",
        "files.read": "files:read",
    },
    inline=frozenset({"worker.ping", "worker.status"}),
    light=frozenset({"model.tokenizer", "corpus.load", "task.load", "generation.loadTask"}),
    unloads=frozenset({"model.unload", "corpus.unload", "task.unload", "generation.unloadTask"}),
    alone=frozenset({"profiling.profile", "profiling.unitCosts"}),
    farewell="model:forget_everything",
)
