"""The screens, one file each. A view draws lines from the world and keeps only what the person did to it."""
