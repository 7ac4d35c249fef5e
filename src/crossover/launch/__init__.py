"""RUN MANY: RunSpecs executed somewhere; the same study on any Launcher."""
