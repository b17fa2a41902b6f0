"""Check a title against an archive; the folders of models and their versions."""
