"""What runs inside the walls. Never imported by Joule: it is read as text and given to the guest's interpreter."""
