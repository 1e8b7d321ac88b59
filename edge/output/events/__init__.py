"""What happens, told to others: classes that change, objects that come and go, cameras and clouds that are lost and found."""
