"""From sources, fetched parts and a bundled artefact to one signed APK."""
