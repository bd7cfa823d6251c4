"""Write a program as Python source that calls NumPy in place."""
