"""The BioImage Model Zoo: a Hypha artifact manager, in which a model waits as a draft until a reviewer takes it."""
