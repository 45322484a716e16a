namespace virtseer::agent {}
