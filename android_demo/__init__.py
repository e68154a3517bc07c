"""The Android app, and its build without Gradle."""
